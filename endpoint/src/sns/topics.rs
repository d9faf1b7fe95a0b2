//! Topics: made, listed, described, tagged, removed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{json::Json, names::Names, store::Unit};

use super::{AttributeMap, Sns, error::SnsError, paging};

const MAX_NAME: usize = 256;
/// What the name of a topic that keeps an order ends with.
const FIFO_SUFFIX: &str = ".fifo";
const MAX_TAGS: usize = 50;

/// Attributes that can be set, and whether their value is JSON.
const SETTABLE: &[(&str, bool)] = &[
    ("DisplayName", false),
    ("Policy", true),
    ("DeliveryPolicy", true),
    ("KmsMasterKeyId", false),
    ("SignatureVersion", false),
    ("TracingConfig", false),
];
/// Delivery logs name roles; they are kept and nothing is logged.
const FEEDBACK: [&str; 3] = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

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
    attributes: AttributeMap,
    tags: AttributeMap,
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
    if arn.is_empty() {
        return Err(SnsError::invalid("TopicArn", "it is missing"));
    }
    let name = names
        .topic_in_arn(arn)
        .ok_or_else(|| SnsError::invalid("TopicArn", format!("{arn:?} is not an ARN of this account")))?;
    let sql = format!("SELECT {COLUMNS} FROM topic WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name], topic).optional()?.ok_or_else(|| SnsError::no_topic(arn))
}

fn save(connection: &Connection, topic: &Topic) -> Result<(), SnsError> {
    let sql = "UPDATE topic SET attributes = ?2, tags = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![topic.id, Json(&topic.attributes), Json(&topic.tags)])?;
    Ok(())
}

impl Sns {
    pub(super) async fn create_topic(&self, input: CreateTopic) -> Result<TopicArn, SnsError> {
        check_name(&input.name)?;
        for (name, value) in &input.attributes {
            check_attribute(name, value)?;
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
                unit.connection().prepare_cached("DELETE FROM topic WHERE id = ?1")?.execute([topic.id])?;
                Ok(())
            }
            Err(SnsError::NotFound(_)) => Ok(()),
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
            let sql = "SELECT count(*) FROM subscription WHERE topic_id = ?1";
            let subscriptions: i64 = connection.prepare_cached(sql)?.query_row([topic.id], |row| row.get(0))?;
            Ok(Attributes { attributes: described(topic, &names, subscriptions) })
        };
        self.store.read(read).await
    }

    pub(super) async fn set_topic_attribute(&self, input: SetAttribute) -> Result<(), SnsError> {
        check_attribute(&input.attribute_name, &input.attribute_value)?;
        self.change_topic(input.topic_arn, move |topic| {
            topic.attributes.insert(input.attribute_name, input.attribute_value);
            Ok(())
        })
        .await
    }

    pub(super) async fn tag(&self, input: TagResource) -> Result<(), SnsError> {
        let tags = tag_map(input.tags)?;
        let changed = self.change_topic(input.resource_arn, move |topic| {
            topic.tags.extend(tags);
            if topic.tags.len() > MAX_TAGS { Err(SnsError::TagLimitExceeded(MAX_TAGS)) } else { Ok(()) }
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

    async fn change_topic(
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
        SnsError::NotFound(message) => SnsError::ResourceNotFound(message),
        other => other,
    }
}

fn same_or_refused(existing: &Topic, attributes: &AttributeMap, tags: &AttributeMap) -> Result<(), SnsError> {
    if attributes.iter().any(|(name, value)| existing.attributes.get(name) != Some(value)) {
        return Err(SnsError::invalid("Attributes", "the topic already exists with different attributes"));
    }
    if tags.iter().any(|(key, value)| existing.tags.get(key) != Some(value)) {
        return Err(SnsError::invalid("Tags", "the topic already exists with different tags"));
    }
    Ok(())
}

fn tag_map(tags: Vec<Tag>) -> Result<AttributeMap, SnsError> {
    let tags: AttributeMap = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    match tags.len() {
        0..=MAX_TAGS => Ok(tags),
        _ => Err(SnsError::TagLimitExceeded(MAX_TAGS)),
    }
}

fn described(topic: Topic, names: &Names, subscriptions: i64) -> AttributeMap {
    let arn = names.topic_arn(&topic.name);
    let policy = json!({
        "Version": "2008-10-17", "Id": "__default_policy_ID",
        "Statement": [{"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": ["SNS:Publish", "SNS:Subscribe"], "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": names.account}}}],
    });
    let computed = [
        ("Owner", names.account.clone()),
        ("TopicArn", arn),
        ("DisplayName", String::new()),
        ("Policy", policy.to_string()),
        ("SubscriptionsConfirmed", subscriptions.to_string()),
        ("SubscriptionsPending", "0".to_owned()),
        ("SubscriptionsDeleted", "0".to_owned()),
    ];
    let mut all: AttributeMap = computed.map(|(name, value)| (name.to_owned(), value)).into();
    all.extend(topic.attributes);
    all
}

fn check_name(name: &str) -> Result<(), SnsError> {
    if name.strip_suffix(FIFO_SUFFIX).is_some() {
        return Err(SnsError::invalid(
            "Name",
            "FIFO topics are not offered by this endpoint: choose a name without .fifo",
        ));
    }
    let valid = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if valid {
        Ok(())
    } else {
        Err(SnsError::invalid("Name", "it must have 1 to 256 letters, digits, hyphens and underscores"))
    }
}

fn check_attribute(name: &str, value: &str) -> Result<(), SnsError> {
    if matches!(name, "FifoTopic" | "ContentBasedDeduplication" | "ArchivePolicy" | "FifoThroughputScope") {
        return Err(SnsError::invalid(
            "AttributeName",
            format!("{name} is for FIFO topics, which this endpoint does not offer"),
        ));
    }
    let is_feedback = FEEDBACK.iter().any(|suffix| name.ends_with(suffix));
    match SETTABLE.iter().find(|(settable, _)| *settable == name) {
        Some((_, true)) if serde_json::from_str::<Value>(value).is_err() => {
            Err(SnsError::invalid("AttributeValue", format!("{name} must be JSON")))
        }
        Some(_) => Ok(()),
        None if is_feedback => Ok(()),
        None => Err(SnsError::invalid("AttributeName", format!("{name:?} cannot be set on a topic"))),
    }
}
