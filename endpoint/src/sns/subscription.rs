//! A subscription as it is kept: its row, and its attributes with what they may be.

use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;

use crate::{json::Json, names::Names, sqs::FIFO_SUFFIX};

use super::{
    AttributeMap,
    error::SnsError,
    filter::{Filter, Scope},
    policy,
    retry::RetryPolicy,
};

const RAW: &str = "RawMessageDelivery";
const FILTER: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
const REDRIVE: &str = "RedrivePolicy";
const DELIVERY: &str = "DeliveryPolicy";
const ROLE: &str = "SubscriptionRoleArn";

/// A subscription as its row has it, with its topic's name. One that ended stays for a while, pending, for its server may take
/// that back.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: i64,
    uuid: String,
    pub(super) topic: String,
    pub(super) protocol: String,
    pub(super) endpoint: String,
    pub(super) attributes: AttributeMap,
    /// What confirms it, where that is needed.
    pub(super) token: Option<String>,
    pub(super) pending: bool,
    authenticated: bool,
    /// Whether only a signed request may end it.
    pub(super) guarded: bool,
}

pub(super) const SELECT: &str = "SELECT s.id, s.uuid, t.name, s.protocol, s.endpoint, s.attributes, s.token, s.pending, \
                                 s.authenticated, s.guarded \
                                 FROM subscription s JOIN topic t ON t.id = s.topic_id";

pub(super) fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    Ok(Subscription {
        id: row.get(0)?,
        uuid: row.get(1)?,
        topic: row.get(2)?,
        protocol: row.get(3)?,
        endpoint: row.get(4)?,
        attributes: row.get::<_, Json<_>>(5)?.0,
        token: row.get(6)?,
        pending: row.get(7)?,
        authenticated: row.get(8)?,
        guarded: row.get(9)?,
    })
}

/// The subscriptions of a topic that are confirmed.
pub(super) fn of_topic(connection: &Connection, topic: i64) -> Result<Vec<Subscription>, SnsError> {
    let sql = format!("{SELECT} WHERE s.topic_id = ?1 AND NOT s.pending ORDER BY s.id");
    let found = connection.prepare_cached(&sql)?.query_map([topic], subscription)?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// The subscription that an ARN names.
pub(super) fn existing(connection: &Connection, names: &Names, arn: &str) -> Result<Subscription, SnsError> {
    if arn.is_empty() {
        return Err(SnsError::invalid("SubscriptionArn", "no value for required parameter"));
    }
    match arn.split(':').count() {
        6 => return Err(SnsError::refused("SubscriptionId")),
        7.. => {}
        parts => {
            let reason = format!("An ARN must have at least 6 elements, not {parts}");
            return Err(SnsError::invalid("SubscriptionArn", reason));
        }
    }
    let rest = names.topic_in_arn(arn).and_then(|rest| rest.split_once(':'));
    let (topic, uuid) = rest.ok_or(SnsError::NoSubscription)?;
    let sql = format!("{SELECT} WHERE s.uuid = ?1 AND t.name = ?2 AND s.ended_ms IS NULL");
    let found = connection.prepare_cached(&sql)?.query_row([uuid, topic], subscription).optional()?;
    found.ok_or(SnsError::NoSubscription)
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

    /// Where messages go that cannot be delivered.
    pub(super) fn dead_letter_arn(&self) -> Option<String> {
        let policy: Value = serde_json::from_str(self.attributes.get(REDRIVE)?).ok()?;
        policy["deadLetterTargetArn"].as_str().map(str::to_owned)
    }

    pub(super) fn delivery_policy(&self) -> Option<&str> {
        self.attributes.get(DELIVERY).map(String::as_str)
    }

    /// All attributes, those that are computed among them.
    pub(super) fn described(mut self, names: &Names, effective: Option<String>) -> AttributeMap {
        if let Some(policy) = self.attributes.get_mut(DELIVERY) {
            *policy = policy::of_subscription(policy);
        }
        let computed = [
            ("SubscriptionArn", self.arn(names)),
            ("TopicArn", names.topic_arn(&self.topic)),
            ("Owner", names.account.clone()),
            ("Protocol", self.protocol),
            ("Endpoint", self.endpoint),
            ("ConfirmationWasAuthenticated", (self.authenticated && !self.pending).to_string()),
            ("PendingConfirmation", self.pending.to_string()),
            (RAW, "false".to_owned()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{}:user/decouple", names.account)),
        ];
        let mut all: AttributeMap = computed.map(|(name, value)| (name.to_owned(), value)).into();
        all.extend(effective.map(|policy| ("EffectiveDeliveryPolicy".to_owned(), policy)));
        all.extend(self.attributes);
        if all.contains_key(FILTER) {
            all.entry(SCOPE.to_owned()).or_insert_with(|| "MessageAttributes".to_owned());
        } else {
            all.remove(SCOPE);
        }
        all
    }
}

/// Checks one attribute of a subscription and sets it; an empty policy removes it. The filter is checked by [`check_filter`] once
/// all are set, since its scope says what it may be.
pub(super) fn set(
    attributes: &mut AttributeMap,
    topic: &str,
    endpoint: &str,
    name: String,
    value: String,
) -> Result<(), String> {
    if matches!(name.as_str(), FILTER | REDRIVE | DELIVERY) && value.is_empty() {
        attributes.remove(&name);
        return Ok(());
    }
    let value = match name.as_str() {
        RAW => match value.to_ascii_lowercase().as_str() {
            raw @ ("true" | "false") => raw.to_owned(),
            _ => return Err(format!("{RAW}: Invalid value [{value}]. Must be true or false.")),
        },
        SCOPE if value != "MessageAttributes" && value != "MessageBody" => {
            return Err(format!(
                "{SCOPE}: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
            ));
        }
        FILTER | SCOPE | ROLE => value,
        REDRIVE => {
            check_redrive(&value, topic, endpoint).map_err(|reason| format!("{REDRIVE}: {reason}"))?;
            value
        }
        DELIVERY => {
            RetryPolicy::check(&value).map_err(|reason| format!("{DELIVERY}: {reason}"))?;
            value
        }
        _ => return Err("AttributeName".into()),
    };
    attributes.insert(name, value);
    Ok(())
}

fn check_redrive(policy: &str, topic: &str, endpoint: &str) -> Result<(), String> {
    let policy: Value = serde_json::from_str(policy).map_err(|_| "failed to parse JSON.".to_owned())?;
    let arn = policy["deadLetterTargetArn"].as_str().filter(|arn| arn.split(':').count() >= 6);
    let arn = arn.ok_or("deadLetterTargetArn is an invalid arn")?;
    let ordered = topic.ends_with(FIFO_SUFFIX) && endpoint.ends_with(FIFO_SUFFIX);
    if ordered && !arn.ends_with(FIFO_SUFFIX) {
        return Err("must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.".into());
    }
    Ok(())
}

/// Checks the filter among some attributes.
pub(super) fn check_filter(attributes: &AttributeMap) -> Result<(), String> {
    parse_filter(attributes).map(drop).map_err(|error| error.to_string())
}

fn parse_filter(attributes: &AttributeMap) -> Result<Option<Filter>, super::filter::FilterError> {
    let Some(policy) = attributes.get(FILTER) else { return Ok(None) };
    let scope = match attributes.get(SCOPE).map(String::as_str) {
        Some("MessageBody") => Scope::Body,
        _ => Scope::Attributes,
    };
    Filter::parse(policy, scope).map(Some)
}
