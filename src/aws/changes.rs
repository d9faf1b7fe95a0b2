//! What an update would change: a change set in the words of the topology. Pure.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::cloudformation::{Origin, Template};

/// What an update would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Whether the stack is there already.
    #[serde(skip)]
    pub fresh: bool,
    /// What changes, in the template's order.
    pub resources: Vec<Change>,
}

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The part that it belongs to, such as `group/web`.
    pub part: String,
    /// What it is, in people's words.
    pub description: String,
    /// Its id in the template.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happens to it.
    pub action: Action,
    /// What becomes of the former one, where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
    /// The properties that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<String>,
    /// Whether it only refers to something that changes, and so perhaps stays as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// Whether from now on it goes with its stack, where it was kept until now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unguarded: bool,
}

/// What photos and records are in.
const DATA: &[&str] = &["AWS::S3::Bucket", "AWS::RDS::DBInstance"];

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed as it stands.
    Update,
    /// It may be replaced: what decides is not known yet.
    MayReplace,
    /// A new one takes its place.
    Replace,
    /// It goes.
    Delete,
}

/// What becomes of a resource that leaves the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is lost.
    Lost,
    /// It is kept, outside of the stack.
    Kept,
    /// A snapshot of it is kept.
    Snapshot,
}

impl Action {
    const fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::MayReplace => "~?",
            Self::Replace => "+/-",
            Self::Delete => "-",
        }
    }
}

impl Change {
    /// Tells whether it is worth no line of its own: only its tags change, or only what it refers to.
    fn is_minor(&self) -> bool {
        !self.removes() && self.action != Action::Create && (self.follows || self.properties == ["Tags"])
    }

    /// Tells whether a resource that is there goes.
    pub fn removes(&self) -> bool {
        matches!(self.action, Action::Replace | Action::Delete)
    }

    /// Tells whether photos or records go with it. Tasks are not lost with their queue: the catalog knows what is to be done.
    pub fn loses_data(&self) -> bool {
        self.removes() && self.holds_data() && self.fate == Some(Fate::Lost)
    }

    fn holds_data(&self) -> bool {
        DATA.contains(&self.kind.as_str())
    }
}

impl Changes {
    /// Tells whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Returns what goes, be it for good or for a new one.
    pub fn removals(&self) -> impl Iterator<Item = &Change> {
        self.resources.iter().filter(|change| change.removes())
    }

    /// Returns what is to be asked before this is done: of what goes, of data that may be replaced, and of data that loses what
    /// keeps it. Nothing where all that is there stays.
    pub fn question(&self) -> Option<String> {
        let named = |which: &dyn Fn(&Change) -> bool| {
            let found: Vec<&str> = self
                .resources
                .iter()
                .filter(|change| which(change))
                .map(|change| change.description.as_str())
                .collect();
            (!found.is_empty()).then(|| found.join(" and "))
        };
        let going = self.removals().count();
        let plural = if going == 1 { "resource is" } else { "resources are" };
        let emptied = |change: &Change| {
            change.action == Action::Replace && change.holds_data() && change.fate != Some(Fate::Lost)
        };
        let may_go = |change: &Change| change.action == Action::MayReplace && change.holds_data() && !change.follows;
        let sentences = [
            (going > 0).then(|| format!("{going} {plural} deleted or replaced.")),
            named(&Change::loses_data).map(|data| format!("DATA IS LOST with {data}.")),
            named(&emptied).map(|data| {
                format!("{data} is replaced by an EMPTY one; what is in it now is kept outside of the environment.")
            }),
            named(&may_go).map(|data| format!("Perhaps {data} is replaced by an empty one.")),
            named(&|change| change.unguarded)
                .map(|data| format!("From now on {data} goes with the environment, DATA included.")),
        ];
        let question: Vec<String> = sentences.into_iter().flatten().collect();
        (!question.is_empty()).then(|| question.join(" "))
    }

    /// Returns the parts that change, in the template's order, each with its changes.
    pub fn parts(&self) -> Vec<(&str, Vec<&Change>)> {
        let mut parts: Vec<(&str, Vec<&Change>)> = Vec::new();
        for change in &self.resources {
            match parts.iter_mut().find(|(part, _)| *part == change.part) {
                Some((_, changes)) => changes.push(change),
                None => parts.push((&change.part, vec![change])),
            }
        }
        parts
    }

    /// Returns the deletion of all that a template has.
    pub fn deletion(template: &Value) -> Self {
        let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
        let deletion = |(id, resource): (&String, &Value)| {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            let (part, description) = told_by(template, id, kind);
            Change {
                part,
                description,
                resource: id.clone(),
                kind: kind.to_owned(),
                action: Action::Delete,
                fate: None,
                properties: Vec::new(),
                follows: false,
                unguarded: false,
            }
        };
        Self { fresh: false, resources: resources.map(deletion).collect() }
    }

    fn count(&self, action: Action) -> usize {
        self.resources.iter().filter(|change| change.action == action && !change.is_minor()).count()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, changes) in self.parts() {
            writeln!(f, "{part}")?;
            // A stack that is new has some seventy resources: their number says enough.
            if self.fresh {
                writeln!(f, "  + {}", resources(changes.len()))?;
                continue;
            }
            let (minor, major): (Vec<&Change>, Vec<&Change>) =
                changes.into_iter().partition(|change| change.is_minor());
            for change in major {
                change.fmt(f)?;
            }
            let tags = minor.iter().filter(|change| !change.follows).count();
            if tags > 0 {
                writeln!(f, "  ~   the tags of {}", resources(tags))?;
            }
            if minor.len() > tags {
                let follow = minor.len() - tags;
                let refer = if follow == 1 { "refers" } else { "refer" };
                writeln!(f, "  ~   perhaps {} that {refer} to what changes", resources(follow))?;
            }
        }
        let words = [
            (Action::Create, "to create"),
            (Action::Update, "to update"),
            (Action::MayReplace, "perhaps to replace"),
            (Action::Replace, "to replace"),
            (Action::Delete, "to delete"),
        ];
        let counts: Vec<String> = words
            .into_iter()
            .filter(|(action, _)| self.count(*action) > 0)
            .map(|(action, words)| format!("{} {words}", self.count(action)))
            .collect();
        write!(f, "{}", if counts.is_empty() { "nothing changes".to_owned() } else { counts.join(", ") })
    }
}

fn resources(number: usize) -> String {
    let plural = if number == 1 { "resource" } else { "resources" };
    format!("{number} {plural}")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { description, resource, kind, action, fate, properties, .. } = self;
        write!(f, "  {:<3} {description}", action.sign())?;
        if !properties.is_empty() {
            write!(f, ": {}", properties.join(", "))?;
        }
        write!(f, "  ({resource}, {kind})")?;
        match fate {
            _ if self.loses_data() => write!(f, "  DATA IS LOST")?,
            Some(Fate::Kept) => write!(f, "  the former one is kept")?,
            Some(Fate::Snapshot) => write!(f, "  a snapshot is kept")?,
            _ => {}
        }
        writeln!(f)
    }
}

/// What a resource is, by the template that will be; of one that goes, by the template that was.
pub struct Words<'a> {
    /// The template that will be.
    pub new: &'a Template,
    /// The template that is deployed, where there is one.
    pub old: Option<&'a Value>,
}

impl Words<'_> {
    /// Returns the part of a resource and what it is.
    pub fn of(&self, resource: &str, kind: &str) -> (String, String) {
        if let Some(Origin { part, description, .. }) = self.new.parts.get(resource) {
            return (part.clone(), description.clone());
        }
        told_by(self.old.unwrap_or(&Value::Null), resource, kind)
    }

    /// Tells whether a resource goes with its stack from now on, where it or a snapshot of it was kept until now.
    pub(super) fn unguards(&self, resource: &str) -> bool {
        let policy = |resource: &Value| Some(resource.get("DeletionPolicy")?.as_str()?.to_owned());
        let was = self.old.and_then(|old| policy(old.get("Resources")?.get(resource)?));
        let is = self.new.resources().get(resource).and_then(policy);
        matches!(was.as_deref(), Some("Retain" | "Snapshot")) && is.as_deref() == Some("Delete")
    }

    /// Returns the places of the template's resources, for an order that people know.
    pub(super) fn place(&self, resource: &str) -> usize {
        self.new.resources().keys().position(|id| id == resource).unwrap_or(usize::MAX)
    }
}

/// What a template's own metadata says of a resource: its part, and what it is.
fn told_by(template: &Value, resource: &str, kind: &str) -> (String, String) {
    let metadata = template.get("Resources").and_then(|all| all.get(resource)?.get("Metadata"));
    let word = |key: &str| Some(metadata?.get(key)?.as_str()?.to_owned());
    (word("Part").unwrap_or_else(|| "other".to_owned()), word("Description").unwrap_or_else(|| kind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(part: &str, resource: &str, kind: &str, action: Action, fate: Option<Fate>) -> Change {
        Change {
            part: part.to_owned(),
            description: format!("the {resource}"),
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            action,
            fate,
            properties: if action == Action::Update { vec!["MaxSize".to_owned()] } else { Vec::new() },
            follows: false,
            unguarded: false,
        }
    }

    #[test]
    fn what_is_lost_stands_out() {
        let resources = vec![
            change("group/web", "WebGroup", "AWS::AutoScaling::AutoScalingGroup", Action::Update, None),
            change("bucket/images", "Bucket", "AWS::S3::Bucket", Action::Delete, Some(Fate::Lost)),
            change("catalog/images", "Catalog", "AWS::RDS::DBInstance", Action::Replace, Some(Fate::Snapshot)),
            change("queue/tag", "TagAlarm", "AWS::CloudWatch::Alarm", Action::Delete, Some(Fate::Lost)),
        ];
        let changes = Changes { fresh: false, resources };
        insta::assert_snapshot!(changes, @r"
        group/web
          ~   the WebGroup: MaxSize  (WebGroup, AWS::AutoScaling::AutoScalingGroup)
        bucket/images
          -   the Bucket  (Bucket, AWS::S3::Bucket)  DATA IS LOST
        catalog/images
          +/- the Catalog  (Catalog, AWS::RDS::DBInstance)  a snapshot is kept
        queue/tag
          -   the TagAlarm  (TagAlarm, AWS::CloudWatch::Alarm)
        1 to update, 1 to replace, 2 to delete
        ");
        assert_eq!(changes.removals().count(), 3);
    }

    #[test]
    fn tags_and_what_only_refers_to_a_change_are_counted() {
        let group =
            |resource: &str, action| change("group/web", resource, "AWS::AutoScaling::AutoScalingGroup", action, None);
        let tags = Change { properties: vec!["Tags".to_owned()], ..group("WebRole", Action::Update) };
        let follows = Change { follows: true, ..group("WebScaleOut", Action::MayReplace) };
        let resources = vec![group("WebGroup", Action::Update), tags, follows];
        insta::assert_snapshot!(Changes { fresh: false, resources }, @r"
        group/web
          ~   the WebGroup: MaxSize  (WebGroup, AWS::AutoScaling::AutoScalingGroup)
          ~   the tags of 1 resource
          ~   perhaps 1 resource that refers to what changes
        1 to update
        ");
    }

    #[test]
    fn a_new_stack_is_told_by_numbers() {
        let resources = vec![
            change("group/web", "WebGroup", "AWS::AutoScaling::AutoScalingGroup", Action::Create, None),
            change("group/web", "WebRole", "AWS::IAM::Role", Action::Create, None),
        ];
        insta::assert_snapshot!(Changes { fresh: true, resources }, @r"
        group/web
          + 2 resources
        2 to create
        ");
        assert_eq!(Changes::default().to_string(), "nothing changes");
    }
}
