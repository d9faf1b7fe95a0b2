//! How a subscription begins and ends: subscribing, confirming, unsubscribing.
//!
//! A queue of this account is subscribed at once. A server has to say that it wants the messages: it is sent a token, and its
//! subscription waits until the token comes back.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{hosts::is_loopback, json::Json, names::Names, sqs::FIFO_SUFFIX, store::Unit};

use super::{
    AttributeMap, Sns,
    delivery::{self, Message},
    envelope::Confirmation,
    error::SnsError,
    subscription::{self, HTTP, SELECT, SQS, Subscription, existing},
    topics::{Topic, existing_topic},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Subscribe {
    topic_arn: String,
    protocol: String,
    endpoint: String,
    attributes: AttributeMap,
    return_subscription_arn: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Confirm {
    topic_arn: String,
    token: String,
    authenticate_on_unsubscribe: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OneSubscription {
    pub(super) subscription_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscriptionArn {
    subscription_arn: String,
}

const HTTPS: &str = "https";
/// What a subscription that waits is called instead of by its ARN.
const PENDING: &str = "pending confirmation";

impl Sns {
    pub(super) async fn subscribe(&self, input: Subscribe, authority: &str) -> Result<SubscriptionArn, SnsError> {
        let (names, authority, now) = (self.names.clone(), authority.to_owned(), self.clock.now());
        let wants_arn = input.return_subscription_arn.as_deref() == Some("true");
        let subscribe = move |unit: &mut Unit<'_>| {
            let topic = existing_topic(unit.connection(), &names, &input.topic_arn)?;
            check_endpoint(&names, &topic, &input)?;
            let attributes = checked(&topic, &input)?;
            let sql = format!("{SELECT} WHERE s.topic_id = ?1 AND s.protocol = ?2 AND s.endpoint = ?3");
            let fields = params![topic.id, input.protocol, input.endpoint];
            let mut statement = unit.connection().prepare_cached(&sql)?;
            let found = statement.query_row(fields, subscription::subscription).optional()?;
            let found = match found {
                Some(found) if attributes.iter().all(|(name, value)| found.attributes.get(name) == Some(value)) => {
                    found
                }
                Some(_) => {
                    let reason = "Subscription already exists with different attributes";
                    return Err(SnsError::invalid("Attributes", reason));
                }
                None => insert(unit, &names, &topic, &input, &attributes)?,
            };
            let reached = is_reached(&input.protocol, &input.endpoint);
            if let Some(token) = found.token.as_deref().filter(|_| found.pending && reached) {
                let confirmation = Confirmation {
                    message_id: &Uuid::new_v4().to_string(),
                    topic_arn: &names.topic_arn(&topic.name),
                    authority: &authority,
                    token,
                    at: now,
                };
                let message = Message::confirmation(confirmation.message_id.to_owned(), confirmation.to_json());
                delivery::add(unit, found.id, &message, now)?;
            }
            Ok(if found.pending && !wants_arn { PENDING.to_owned() } else { found.arn(&names) })
        };
        Ok(SubscriptionArn { subscription_arn: self.store.write(subscribe).await? })
    }

    /// Confirms a subscription by its token; doing so again changes nothing.
    pub(super) async fn confirm(&self, input: Confirm, signed: bool) -> Result<SubscriptionArn, SnsError> {
        if input.token.is_empty() || !input.token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SnsError::InvalidToken);
        }
        let names = self.names.clone();
        let guarded = signed && input.authenticate_on_unsubscribe.as_deref() == Some("true");
        let confirm = move |unit: &mut Unit<'_>| {
            let topic = names.topic_in_arn(&input.topic_arn).ok_or_else(|| SnsError::refused("Topic"))?;
            let sql = format!("{SELECT} WHERE s.token = ?1 AND t.name = ?2");
            let mut statement = unit.connection().prepare_cached(&sql)?;
            let found = statement.query_row([input.token.as_str(), topic], subscription::subscription).optional()?;
            let found = found.ok_or_else(|| SnsError::refused("Token"))?;
            let sql = "UPDATE subscription SET pending = 0, authenticated = ?2, guarded = ?3 WHERE id = ?1 AND pending";
            unit.connection().prepare_cached(sql)?.execute(params![found.id, signed, guarded])?;
            Ok::<_, SnsError>(found.arn(&names))
        };
        Ok(SubscriptionArn { subscription_arn: self.store.write(confirm).await? })
    }

    /// Removes a subscription. One that is not there is no error.
    pub(super) async fn unsubscribe(&self, input: OneSubscription, signed: bool) -> Result<(), SnsError> {
        let names = self.names.clone();
        let remove = move |unit: &mut Unit<'_>| match existing(unit.connection(), &names, &input.subscription_arn) {
            Ok(found) if found.guarded && !signed => Err(SnsError::NotAuthorized),
            Ok(found) => {
                unit.connection().prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([found.id])?;
                Ok(())
            }
            Err(SnsError::NoSubscription) => Ok(()),
            Err(error) => Err(error),
        };
        self.store.write(remove).await
    }
}

fn insert(
    unit: &Unit<'_>,
    names: &Names,
    topic: &Topic,
    input: &Subscribe,
    attributes: &AttributeMap,
) -> Result<Subscription, SnsError> {
    let uuid = Uuid::new_v4().to_string();
    let pending = input.protocol != SQS;
    // As long as the service's own.
    let token = pending.then(|| hex::encode(rand::random::<[[u8; 24]; 6]>().concat()));
    let sql = "INSERT INTO subscription (topic_id, uuid, protocol, endpoint, attributes, token, pending) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let fields = params![topic.id, uuid, input.protocol, input.endpoint, Json(attributes), token, pending];
    unit.connection().prepare_cached(sql)?.execute(fields)?;
    existing(unit.connection(), names, &format!("{}:{uuid}", names.topic_arn(&topic.name)))
}

fn checked(topic: &Topic, input: &Subscribe) -> Result<AttributeMap, SnsError> {
    let mut attributes = AttributeMap::new();
    let refused = |reason: String| SnsError::invalid("Attributes", reason);
    for (name, value) in &input.attributes {
        subscription::set(&mut attributes, &topic.name, &input.endpoint, name.clone(), value.clone())
            .map_err(refused)?;
    }
    subscription::check_filter(&attributes).map_err(refused)?;
    Ok(attributes)
}

fn check_endpoint(names: &Names, topic: &Topic, input: &Subscribe) -> Result<(), SnsError> {
    let endpoint = input.endpoint.as_str();
    match input.protocol.as_str() {
        _ if endpoint.is_empty() => Err(SnsError::refused("Endpoint")),
        SQS => {
            if endpoint.split(':').count() < 6 {
                return Err(SnsError::refused("SQS endpoint ARN"));
            }
            if names.queue_in_arn(endpoint).is_none() {
                return Err(SnsError::invalid("Endpoint", "it is not the ARN of a queue of this endpoint's account"));
            }
            if endpoint.ends_with(FIFO_SUFFIX) && !topic.is_fifo() {
                return Err(SnsError::refused(
                    "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
                ));
            }
            Ok(())
        }
        _ if topic.is_fifo() => Err(SnsError::refused("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")),
        HTTP | HTTPS => check_server(&input.protocol, endpoint),
        "email" | "email-json" if endpoint.contains('@') => Ok(()),
        "email" | "email-json" => Err(SnsError::refused("Email address")),
        "sms" | "application" | "lambda" | "firehose" => Err(SnsError::invalid(
            "Protocol",
            format!(
                "{} is not offered by this endpoint: subscribe a queue (sqs) or a loopback server (http)",
                input.protocol
            ),
        )),
        other => Err(SnsError::refused(format!("Amazon SNS does not support this protocol string: {other}"))),
    }
}

fn check_server(protocol: &str, endpoint: &str) -> Result<(), SnsError> {
    let uri: Option<http::Uri> = endpoint.parse().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some(protocol) && uri.authority().is_some());
    uri.map(drop).ok_or_else(|| SnsError::refused("Endpoint must match the specified protocol"))
}

/// Whether a subscriber is sent anything. Nothing leaves this machine: to whatever is elsewhere no token is sent, so that
/// its subscription waits for ever, as that of a server that does not answer.
fn is_reached(protocol: &str, endpoint: &str) -> bool {
    let uri: Option<http::Uri> = endpoint.parse().ok().filter(|_| protocol == HTTP);
    // A user's name and password would come before an `@`.
    uri.as_ref()
        .and_then(http::Uri::authority)
        .is_some_and(|authority| !authority.as_str().contains('@') && is_loopback(authority.as_str()))
}
