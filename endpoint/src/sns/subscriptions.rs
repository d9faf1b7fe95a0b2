//! Subscriptions: which queue gets what of a topic, and in which form.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{json::Json, names::Names, store::Unit};

use super::{
    AttributeMap, Sns,
    error::SnsError,
    filter::{Filter, Scope},
    paging,
    topics::{Attributes, existing_topic},
};

pub(super) const RAW: &str = "RawMessageDelivery";
const FILTER: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
pub(super) const REDRIVE: &str = "RedrivePolicy";
const SQS: &str = "sqs";

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Subscribe {
    topic_arn: String,
    protocol: String,
    endpoint: String,
    attributes: AttributeMap,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OneSubscription {
    subscription_arn: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SetAttribute {
    subscription_arn: String,
    attribute_name: String,
    attribute_value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListSubscriptions {
    topic_arn: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscriptionArn {
    subscription_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subscriptions {
    subscriptions: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    topic_arn: String,
    protocol: String,
    subscription_arn: String,
    owner: String,
    endpoint: String,
}

/// A subscription as its row has it, with its topic's name.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    id: i64,
    uuid: String,
    topic: String,
    protocol: String,
    pub(super) endpoint: String,
    attributes: AttributeMap,
}

const SELECT: &str = "SELECT s.id, s.uuid, t.name, s.protocol, s.endpoint, s.attributes \
                      FROM subscription s JOIN topic t ON t.id = s.topic_id";

fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    Ok(Subscription {
        id: row.get(0)?,
        uuid: row.get(1)?,
        topic: row.get(2)?,
        protocol: row.get(3)?,
        endpoint: row.get(4)?,
        attributes: row.get::<_, Json<_>>(5)?.0,
    })
}

/// All subscriptions of a topic.
pub(super) fn of_topic(connection: &Connection, topic: i64) -> Result<Vec<Subscription>, SnsError> {
    let sql = format!("{SELECT} WHERE s.topic_id = ?1 ORDER BY s.id");
    let found = connection.prepare_cached(&sql)?.query_map([topic], subscription)?.collect::<Result<_, _>>()?;
    Ok(found)
}

fn existing(connection: &Connection, names: &Names, arn: &str) -> Result<Subscription, SnsError> {
    let rest = names
        .topic_in_arn(arn)
        .ok_or_else(|| SnsError::invalid("SubscriptionArn", format!("{arn:?} is not a subscription's ARN")))?;
    let uuid = rest.split_once(':').map(|(_, uuid)| uuid).unwrap_or_default();
    let sql = format!("{SELECT} WHERE s.uuid = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([uuid], subscription).optional()?;
    found.ok_or_else(|| SnsError::no_subscription(arn))
}

impl Subscription {
    pub(super) fn arn(&self, names: &Names) -> String {
        format!("{}:{}", names.topic_arn(&self.topic), self.uuid)
    }

    pub(super) fn is_raw(&self) -> bool {
        self.attributes.get(RAW).is_some_and(|raw| raw == "true")
    }

    /// The filter, if there is one.
    pub(super) fn filter(&self) -> Option<Filter> {
        parse_filter(&self.attributes).ok().flatten()
    }

    /// Where messages go whose queue is gone.
    pub(super) fn dead_letter_arn(&self) -> Option<String> {
        let policy: Value = serde_json::from_str(self.attributes.get(REDRIVE)?).ok()?;
        policy["deadLetterTargetArn"].as_str().map(str::to_owned)
    }

    fn listed(self, names: &Names) -> Listed {
        Listed {
            topic_arn: names.topic_arn(&self.topic),
            subscription_arn: self.arn(names),
            owner: names.account.clone(),
            protocol: self.protocol,
            endpoint: self.endpoint,
        }
    }

    fn described(self, names: &Names) -> AttributeMap {
        let scope = self.attributes.contains_key(FILTER).then(|| (SCOPE.to_owned(), "MessageAttributes".to_owned()));
        let computed = [
            ("SubscriptionArn", self.arn(names)),
            ("TopicArn", names.topic_arn(&self.topic)),
            ("Owner", names.account.clone()),
            ("Protocol", self.protocol),
            ("Endpoint", self.endpoint),
            ("ConfirmationWasAuthenticated", "true".to_owned()),
            ("PendingConfirmation", "false".to_owned()),
            (RAW, "false".to_owned()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", names.account)),
        ];
        let mut all: AttributeMap = computed.map(|(name, value)| (name.to_owned(), value)).into();
        all.extend(scope);
        all.extend(self.attributes);
        all
    }
}

impl Sns {
    pub(super) async fn subscribe(&self, input: Subscribe) -> Result<SubscriptionArn, SnsError> {
        check_protocol(&input.protocol)?;
        if self.names.queue_in_arn(&input.endpoint).is_none() {
            return Err(SnsError::invalid(
                "Endpoint",
                format!("{:?} is not the ARN of a queue of this account", input.endpoint),
            ));
        }
        let mut attributes = AttributeMap::new();
        for (name, value) in input.attributes {
            set(&mut attributes, name, value)?;
        }
        parse_filter(&attributes)?;
        let names = self.names.clone();
        let subscribe = move |unit: &mut Unit<'_>| {
            let topic = existing_topic(unit.connection(), &names, &input.topic_arn)?;
            let sql = format!("{SELECT} WHERE s.topic_id = ?1 AND s.protocol = ?2 AND s.endpoint = ?3");
            let fields = params![topic.id, SQS, input.endpoint];
            let existing = unit.connection().prepare_cached(&sql)?.query_row(fields, subscription).optional()?;
            if let Some(existing) = existing {
                return if attributes.is_empty() || attributes == existing.attributes {
                    Ok(existing.arn(&names))
                } else {
                    Err(SnsError::invalid("Attributes", "the subscription already exists with different attributes"))
                };
            }
            let uuid = Uuid::new_v4().to_string();
            let sql =
                "INSERT INTO subscription (topic_id, uuid, protocol, endpoint, attributes) VALUES (?1, ?2, ?3, ?4, ?5)";
            let fields = params![topic.id, uuid, SQS, input.endpoint, Json(&attributes)];
            unit.connection().prepare_cached(sql)?.execute(fields)?;
            Ok(format!("{}:{uuid}", names.topic_arn(&topic.name)))
        };
        Ok(SubscriptionArn { subscription_arn: self.store.write(subscribe).await? })
    }

    /// Removes a subscription. One that is not there is no error.
    pub(super) async fn unsubscribe(&self, input: OneSubscription) -> Result<(), SnsError> {
        let names = self.names.clone();
        let remove = move |unit: &mut Unit<'_>| match existing(unit.connection(), &names, &input.subscription_arn) {
            Ok(found) => {
                unit.connection().prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([found.id])?;
                Ok(())
            }
            Err(SnsError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        };
        self.store.write(remove).await
    }

    pub(super) async fn list_subscriptions_by_topic(
        &self,
        input: ListSubscriptions,
    ) -> Result<Subscriptions, SnsError> {
        let arn = input.topic_arn.clone().unwrap_or_default();
        let names = self.names.clone();
        let topic = self.store.read(move |connection| existing_topic(connection, &names, &arn)).await?;
        self.list(Some(topic.id), input).await
    }

    pub(super) async fn list_subscriptions(&self, input: ListSubscriptions) -> Result<Subscriptions, SnsError> {
        self.list(None, input).await
    }

    async fn list(&self, topic: Option<i64>, input: ListSubscriptions) -> Result<Subscriptions, SnsError> {
        let after = paging::start(input.next_token.as_deref())?;
        let read = move |connection: &Connection| {
            let sql = format!("{SELECT} WHERE s.id > ?1 AND (?2 IS NULL OR s.topic_id = ?2) ORDER BY s.id LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, topic, paging::LIMIT], subscription)?;
            Ok::<_, SnsError>(rows.collect::<Result<Vec<_>, _>>()?)
        };
        let mut rows = self.store.read(read).await?;
        let next_token = paging::cut(&mut rows, |row| row.id);
        Ok(Subscriptions { subscriptions: rows.into_iter().map(|row| row.listed(&self.names)).collect(), next_token })
    }

    pub(super) async fn subscription_attributes(&self, input: OneSubscription) -> Result<Attributes, SnsError> {
        let names = self.names.clone();
        let read = move |connection: &Connection| {
            let found = existing(connection, &names, &input.subscription_arn)?;
            Ok(Attributes { attributes: found.described(&names) })
        };
        self.store.read(read).await
    }

    pub(super) async fn set_subscription_attribute(&self, input: SetAttribute) -> Result<(), SnsError> {
        let names = self.names.clone();
        let change = move |unit: &mut Unit<'_>| {
            let mut found = existing(unit.connection(), &names, &input.subscription_arn)?;
            set(&mut found.attributes, input.attribute_name, input.attribute_value)?;
            parse_filter(&found.attributes)?;
            let sql = "UPDATE subscription SET attributes = ?2 WHERE id = ?1";
            unit.connection().prepare_cached(sql)?.execute(params![found.id, Json(&found.attributes)])?;
            Ok(())
        };
        self.store.write(change).await
    }
}

fn check_protocol(protocol: &str) -> Result<(), SnsError> {
    match protocol {
        SQS => Ok(()),
        "" => Err(SnsError::invalid("Protocol", "it is missing")),
        "http" | "https" | "email" | "email-json" | "sms" | "application" | "lambda" | "firehose" => {
            let reason = format!(
                "the protocol {protocol} is not offered by this endpoint: subscribe a queue with the protocol sqs"
            );
            Err(SnsError::invalid("Protocol", reason))
        }
        other => Err(SnsError::invalid("Protocol", format!("the protocol {other:?} does not exist"))),
    }
}

/// Checks one attribute and sets it; an empty policy removes it.
fn set(attributes: &mut AttributeMap, name: String, value: String) -> Result<(), SnsError> {
    let invalid = |reason: String| SnsError::invalid("AttributeValue", reason);
    match name.as_str() {
        RAW if value == "true" || value == "false" => {}
        RAW => return Err(invalid(format!("{RAW} is true or false, and not {value:?}"))),
        SCOPE if value == "MessageAttributes" || value == "MessageBody" => {}
        SCOPE => return Err(invalid(format!("{SCOPE} is MessageAttributes or MessageBody, and not {value:?}"))),
        FILTER | REDRIVE | "DeliveryPolicy" if value.is_empty() => {
            attributes.remove(&name);
            return Ok(());
        }
        // Parsed together with its scope, once all attributes are set.
        FILTER => {}
        REDRIVE => {
            let policy: Value = serde_json::from_str(&value).unwrap_or(json!(null));
            if !policy["deadLetterTargetArn"].is_string() {
                return Err(invalid("RedrivePolicy must be JSON with a deadLetterTargetArn".into()));
            }
        }
        "DeliveryPolicy" if serde_json::from_str::<Value>(&value).is_ok() => {}
        "DeliveryPolicy" => return Err(invalid("DeliveryPolicy must be JSON".into())),
        other => return Err(SnsError::invalid("AttributeName", format!("{other:?} cannot be set on a subscription"))),
    }
    attributes.insert(name, value);
    Ok(())
}

fn parse_filter(attributes: &AttributeMap) -> Result<Option<Filter>, SnsError> {
    let Some(policy) = attributes.get(FILTER) else { return Ok(None) };
    let scope = match attributes.get(SCOPE).map(String::as_str) {
        Some("MessageBody") => Scope::Body,
        _ => Scope::Attributes,
    };
    Filter::parse(policy, scope).map(Some).map_err(|error| SnsError::invalid("FilterPolicy", error.to_string()))
}
