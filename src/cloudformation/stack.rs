//! A template in the making: what the files of the resources add to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Options, PARAMETER_BUCKET, PARAMETER_KEY, PARAMETER_SHA256, SIZE_LIMIT, SynthesisError, TAG_ENVIRONMENT, TAG_PART,
    TAG_SITE,
    template::{Origin, Template},
};
use crate::topology::{Balancer, Bucket, Catalog, Names, PartId, Topology};

/// A template in the making.
pub(super) struct Stack<'a> {
    pub(super) topology: &'a Topology,
    pub(super) options: Options,
    pub(super) names: Names,
    pub(super) balancer: &'a Balancer,
    pub(super) bucket: &'a Bucket,
    pub(super) catalog: &'a Catalog,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    parts: BTreeMap<String, Origin>,
}

/// The part that resources belong to, and the blueprint's key that they come from.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) part: String,
    key: Option<String>,
}

impl Owner {
    /// What belongs to a part.
    pub(super) fn part(id: &PartId, key: impl Into<String>) -> Self {
        Self { part: id.to_string(), key: Some(key.into()) }
    }

    /// The same part's, where another key of the blueprint decides.
    pub(super) fn by(&self, key: impl Into<String>) -> Self {
        Self { part: self.part.clone(), key: Some(key.into()) }
    }

    /// What belongs to no part of the topology.
    pub(super) fn other(name: &str, key: Option<&str>) -> Self {
        Self { part: name.to_owned(), key: key.map(ToOwned::to_owned) }
    }
}

/// One resource.
pub(super) struct Resource(Map<String, Value>);

impl Resource {
    pub(super) fn new(kind: &str, properties: Value) -> Self {
        let mut map = Map::new();
        map.insert("Type".to_owned(), json!(kind));
        map.insert("Properties".to_owned(), properties);
        Self(map)
    }

    /// Adds an attribute beside the properties, such as `DependsOn`.
    pub(super) fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.0.insert(attribute.to_owned(), value.into());
        self
    }

    /// Notes something for other programs that read the template.
    pub(super) fn noted(self, key: &str, note: &Value) -> Self {
        self.with("Metadata", json!({ key: note }))
    }

    /// Says what becomes of it when it leaves the stack, or is replaced.
    pub(super) fn on_deletion(self, policy: &str) -> Self {
        self.with("DeletionPolicy", policy).with("UpdateReplacePolicy", policy)
    }
}

impl<'a> Stack<'a> {
    pub(super) fn new(topology: &'a Topology, options: Options) -> Result<Self, SynthesisError> {
        Ok(Self {
            topology,
            options,
            names: Names::new(&topology.site, &topology.environment),
            balancer: topology.balancer().ok_or(SynthesisError::MissingPart("balancer"))?,
            bucket: topology.bucket().ok_or(SynthesisError::MissingPart("bucket"))?,
            catalog: topology.catalog().ok_or(SynthesisError::MissingPart("catalog"))?,
            resources: Map::new(),
            outputs: Map::new(),
            parts: BTreeMap::new(),
        })
    }

    /// Adds a resource, described for people.
    pub(super) fn add(&mut self, id: &str, owner: &Owner, description: &str, resource: Resource) {
        let mut resource = resource.0;
        let metadata = resource.entry("Metadata").or_insert_with(|| json!({}));
        metadata["Description"] = json!(description);
        metadata["Part"] = json!(owner.part);
        self.resources.insert(id.to_owned(), resource.into());
        let origin = Origin { part: owner.part.clone(), description: description.to_owned(), key: owner.key.clone() };
        self.parts.insert(id.to_owned(), origin);
    }

    pub(super) fn output(&mut self, name: &str, description: &str, value: &Value) {
        self.outputs.insert(name.to_owned(), json!({ "Description": description, "Value": value }));
    }

    /// Returns the tags of a resource: the blueprint's, and ours, which win.
    pub(super) fn tags(&self, owner: &Owner) -> Value {
        let own = [
            (TAG_SITE, self.topology.site.as_str()),
            (TAG_ENVIRONMENT, self.topology.environment.as_str()),
            (TAG_PART, owner.part.as_str()),
        ];
        let given = self.topology.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let given = given.filter(|(key, _)| own.iter().all(|(name, _)| name != key));
        given.chain(own).map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
    }

    /// Returns the tags of a resource that consoles show by its name, unless the blueprint has such a tag.
    pub(super) fn named_tags(&self, owner: &Owner, name: &str) -> Value {
        let mut tags = self.tags(owner);
        if !self.topology.tags.contains_key("Name")
            && let Some(tags) = tags.as_array_mut()
        {
            tags.push(json!({ "Key": "Name", "Value": { "Fn::Sub": format!("${{AWS::StackName}}-{name}") } }));
        }
        tags
    }

    /// Tells whether data is to be kept when the stack goes.
    pub(super) const fn short_lived(&self) -> bool {
        self.topology.ttl_seconds.is_some()
    }

    pub(super) fn finish(self) -> Result<Template, SynthesisError> {
        let Topology { site, environment, stage, .. } = self.topology;
        let description = format!("{site}: a photo site, stage {stage}, environment {environment}. Made by decouple.");
        let template = Template::new(&description, parameters(), self.resources, self.outputs, self.parts);
        let bytes = template.to_json().len();
        if bytes > SIZE_LIMIT { Err(SynthesisError::TooLarge { bytes }) } else { Ok(template) }
    }
}

fn parameters() -> Value {
    json!({
        PARAMETER_BUCKET: {
            "Type": "String",
            "Description": "Bucket that holds the worker bundle",
            "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        },
        PARAMETER_KEY: {
            "Type": "String",
            "Description": "Key of the worker bundle",
            "AllowedPattern": "[A-Za-z0-9._/-]{1,512}",
        },
        PARAMETER_SHA256: {
            "Type": "String",
            "Description": "SHA-256 of the worker bundle, in hexadecimal",
            "AllowedPattern": "[0-9a-f]{64}",
        },
    })
}
