//! Topics: made, listed, described, tagged, removed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    json::Json,
    names::Names,
    sqs::{FIFO_SUFFIX, fifo},
    store::Unit,
    tags,
};

use super::{
    AttributeMap, Sns,
    error::SnsError,
    paging,
    signing::Version,
    topic_attributes::{
        CONTENT_BASED, DELIVERY_POLICY, FIFO_TOPIC, POLICY, SIGNATURE_VERSION, THROUGHPUT_SCOPE, check_attribute,
        default_policy, described,
    },
};

const MAX_NAME: usize = 256;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateTopic {
    name: String,
    attributes: AttributeMap,
    tags: Vec<Tag>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OneTopic {
    topic_arn: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListTopics {
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SetAttribute {
    topic_arn: String,
    attribute_name: String,
    attribute_value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TopicArn {
    topic_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Topics {
    topics: Vec<TopicArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    pub(super) attributes: AttributeMap,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    tags: Vec<Tag>,
}

/// A topic as its row has it.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) attributes: AttributeMap,
    tags: AttributeMap,
}

impl Topic {
    /// Whether the topic keeps the order of its messages; the name says it.
    pub(super) fn is_fifo(&self) -> bool {
        self.name.ends_with(FIFO_SUFFIX)
    }

    /// Whether a message without a deduplication id has one by its content.
    pub(super) fn deduplicates_by_content(&self) -> bool {
        self.attributes.get(CONTENT_BASED).is_some_and(|value| value == "true")
    }

    /// Whether the same deduplication id in another group is another message.
    pub(super) fn deduplicates_by_group(&self) -> bool {
        self.attributes.get(THROUGHPUT_SCOPE).is_some_and(|scope| scope == "MessageGroup")
    }

    pub(super) fn signature_version(&self) -> Version {
        Version::of(self.attributes.get(SIGNATURE_VERSION).map(String::as_str))
    }

    /// The policy, with what the service has where none was set.
    pub(super) fn policy(&self, names: &Names) -> Value {
        let set = self.attributes.get(POLICY).and_then(|policy| serde_json::from_str(policy).ok());
        set.filter(Value::is_object).unwrap_or_else(|| default_policy(&names.topic_arn(&self.name), &names.account))
    }

    pub(super) fn set_policy(&mut self, policy: &Value) {
        self.attributes.insert(POLICY.to_owned(), policy.to_string());
    }
}

const COLUMNS: &str = "id, name, attributes, tags";

fn topic(row: &Row<'_>) -> rusqlite::Result<Topic> {
    Ok(Topic {
        id: row.get(0)?,
        name: row.get(1)?,
        attributes: row.get::<_, Json<_>>(2)?.0,
        tags: row.get::<_, Json<_>>(3)?.0,
    })
}

/// The topic that an ARN names.
pub(super) fn existing_topic(connection: &Connection, names: &Names, arn: &str) -> Result<Topic, SnsError> {
    let parts = arn.split(':').count();
    if parts < 6 {
        let reason = format!("An ARN must have at least 6 elements, not {parts}");
        return Err(SnsError::invalid("TopicArn", reason));
    }
    let name = names.topic_in_arn(arn).ok_or(SnsError::NoTopic)?;
    let sql = format!("SELECT {COLUMNS} FROM topic WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name], topic).optional()?.ok_or(SnsError::NoTopic)
}

/// How messages of a topic are delivered to servers, where that was said.
pub(super) fn delivery_policy(connection: &Connection, name: &str) -> Result<Option<String>, SnsError> {
    let sql = "SELECT attributes FROM topic WHERE name = ?1";
    let attributes: Option<Json<AttributeMap>> =
        connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
    Ok(attributes.and_then(|mut attributes| attributes.0.remove(DELIVERY_POLICY)))
}

fn save(connection: &Connection, topic: &Topic) -> Result<(), SnsError> {
    let sql = "UPDATE topic SET attributes = ?2, tags = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![topic.id, Json(&topic.attributes), Json(&topic.tags)])?;
    Ok(())
}

impl Sns {
    pub(super) async fn create_topic(&self, input: CreateTopic) -> Result<TopicArn, SnsError> {
        let fifo = input.name.ends_with(FIFO_SUFFIX);
        check_name(&input.name, &input.attributes)?;
        for (name, value) in &input.attributes {
            check_attribute(name, value, fifo).map_err(|reason| SnsError::invalid("Attributes", reason))?;
        }
        let topic_arn = self.names.topic_arn(&input.name);
        let now = self.clock.now();
        let create = move |unit: &mut Unit<'_>| {
            let sql = format!("SELECT {COLUMNS} FROM topic WHERE name = ?1");
            let existing = unit.connection().prepare_cached(&sql)?.query_row([&input.name], topic).optional()?;
            let tags = tag_map(input.tags)?;
            if let Some(existing) = existing {
                return same_or_refused(&existing, &input.attributes, &tags);
            }
            let sql = "INSERT INTO topic (name, created_ms, attributes, tags) VALUES (?1, ?2, ?3, ?4)";
            let fields = params![input.name, now, Json(&input.attributes), Json(&tags)];
            unit.connection().prepare_cached(sql)?.execute(fields)?;
            Ok(())
        };
        self.store.write(create).await?;
        Ok(TopicArn { topic_arn })
    }

    /// Removes a topic with its subscriptions. One that is not there is no error.
    pub(super) async fn delete_topic(&self, input: OneTopic) -> Result<(), SnsError> {
        let names = self.names.clone();
        let delete = move |unit: &mut Unit<'_>| match existing_topic(unit.connection(), &names, &input.topic_arn) {
            Ok(topic) => {
                fifo::forget(unit.connection(), fifo::Owner::Topic(topic.id))?;
                unit.connection().prepare_cached("DELETE FROM topic WHERE id = ?1")?.execute([topic.id])?;
                Ok(())
            }
            Err(SnsError::NoTopic) => Ok(()),
            Err(error) => Err(error),
        };
        self.store.write(delete).await
    }

    pub(super) async fn list_topics(&self, input: ListTopics) -> Result<Topics, SnsError> {
        let after = paging::start(input.next_token.as_deref())?;
        let mut topics = self
            .store
            .read(move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM topic WHERE id > ?1 ORDER BY id LIMIT ?2");
                let mut statement = connection.prepare_cached(&sql)?;
                let topics =
                    statement.query_map(params![after, paging::LIMIT], topic)?.collect::<Result<Vec<_>, _>>()?;
                Ok::<_, SnsError>(topics)
            })
            .await?;
        let next_token = paging::cut(&mut topics, |topic| topic.id);
        let topics = topics.iter().map(|topic| TopicArn { topic_arn: self.names.topic_arn(&topic.name) }).collect();
        Ok(Topics { topics, next_token })
    }

    pub(super) async fn topic_attributes(&self, input: OneTopic) -> Result<Attributes, SnsError> {
        let names = self.names.clone();
        let read = move |connection: &Connection| {
            let topic = existing_topic(connection, &names, &input.topic_arn)?;
            let sql = "SELECT count(*) FILTER (WHERE NOT pending), count(*) FILTER (WHERE pending) FROM subscription \
                       WHERE topic_id = ?1 AND ended_ms IS NULL";
            let counts = connection.prepare_cached(sql)?.query_row([topic.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Attributes { attributes: described(topic, &names, counts) })
        };
        self.store.read(read).await
    }

    pub(super) async fn set_topic_attribute(&self, input: SetAttribute) -> Result<(), SnsError> {
        self.change_topic(input.topic_arn, move |topic| {
            if input.attribute_name == FIFO_TOPIC {
                return Err(SnsError::refused("AttributeName"));
            }
            check_attribute(&input.attribute_name, &input.attribute_value, topic.is_fifo())
                .map_err(SnsError::InvalidParameter)?;
            // An empty policy is none: that of the service is in force again.
            if input.attribute_value.is_empty() && [POLICY, DELIVERY_POLICY].contains(&input.attribute_name.as_str()) {
                topic.attributes.remove(&input.attribute_name);
            } else {
                topic.attributes.insert(input.attribute_name, input.attribute_value);
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn tag(&self, input: TagResource) -> Result<(), SnsError> {
        let tags = tag_map(input.tags)?;
        let changed = self.change_topic(input.resource_arn, move |topic| {
            tags::add(&mut topic.tags, tags)?;
            Ok(())
        });
        changed.await.map_err(as_resource)
    }

    pub(super) async fn untag(&self, input: TagResource) -> Result<(), SnsError> {
        let changed = self.change_topic(input.resource_arn, move |topic| {
            topic.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        });
        changed.await.map_err(as_resource)
    }

    pub(super) async fn list_tags(&self, input: TagResource) -> Result<Tags, SnsError> {
        let names = self.names.clone();
        let read = move |connection: &Connection| existing_topic(connection, &names, &input.resource_arn);
        let topic = self.store.read(read).await.map_err(as_resource)?;
        Ok(Tags { tags: topic.tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
    }

    pub(super) async fn change_topic(
        &self,
        arn: String,
        change: impl FnOnce(&mut Topic) -> Result<(), SnsError> + Send + 'static,
    ) -> Result<(), SnsError> {
        let names = self.names.clone();
        let change = move |unit: &mut Unit<'_>| {
            let mut topic = existing_topic(unit.connection(), &names, &arn)?;
            change(&mut topic)?;
            save(unit.connection(), &topic)
        };
        self.store.write(change).await
    }
}

/// The operations on tags have a name of their own for what is missing.
fn as_resource(error: SnsError) -> SnsError {
    match error {
        SnsError::NoTopic => SnsError::NoResource,
        other => other,
    }
}

fn same_or_refused(existing: &Topic, attributes: &AttributeMap, tags: &AttributeMap) -> Result<(), SnsError> {
    if attributes.iter().any(|(name, value)| existing.attributes.get(name) != Some(value)) {
        return Err(SnsError::invalid("Attributes", "Topic already exists with different attributes"));
    }
    if tags.iter().any(|(key, value)| existing.tags.get(key) != Some(value)) {
        return Err(SnsError::invalid("Tags", "Topic already exists with different tags"));
    }
    Ok(())
}

fn tag_map(tags: Vec<Tag>) -> Result<AttributeMap, SnsError> {
    let given = tags.len();
    let tags: AttributeMap = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if tags.len() < given {
        return Err(SnsError::refused("Duplicated keys are not allowed."));
    }
    let mut checked = AttributeMap::new();
    tags::add(&mut checked, tags)?;
    Ok(checked)
}

fn check_name(name: &str, attributes: &AttributeMap) -> Result<(), SnsError> {
    let plain = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    let valid = (1..=MAX_NAME).contains(&name.len())
        && !plain.is_empty()
        && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !valid {
        return Err(SnsError::refused("Topic Name"));
    }
    let wanted = attributes.get(FIFO_TOPIC).is_some_and(|value| value == "true");
    match (name.ends_with(FIFO_SUFFIX), wanted) {
        (true, false) => Err(SnsError::refused("Topic Name")),
        (false, true) => Err(SnsError::refused(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, \
             underscores, and hyphens, and must be between 1 and 256 characters long.",
        )),
        _ => Ok(()),
    }
}
