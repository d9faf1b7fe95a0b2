//! How a subscription begins and ends: subscribing, confirming, unsubscribing.
//!
//! A queue of this account is subscribed at once. A server has to say that it wants the messages: it is sent a token, and its
//! subscription waits until the token comes back.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::Names,
    store::Unit,
};

use super::{
    AttributeMap, Sns,
    delivery::{self, Message},
    endpoints::{self, is_reached},
    envelope::Confirmation,
    error::SnsError,
    signing::Signatures,
    subscription::{self, SELECT, Subscription, existing},
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

/// How long a server may take back that its subscription ended.
const REGRET: Millis = 3 * 24 * 60 * 60 * SECOND;
/// What a subscription that waits is called instead of by its ARN.
const PENDING: &str = "pending confirmation";

impl Sns {
    pub(super) async fn subscribe(&self, input: Subscribe, authority: &str) -> Result<SubscriptionArn, SnsError> {
        let (names, link, now) = (self.names.clone(), Link::new(authority), self.clock.now());
        let wants_arn = input.return_subscription_arn.as_deref() == Some("true");
        let subscribe = move |unit: &mut Unit<'_>, signatures: &Signatures| {
            let topic = existing_topic(unit.connection(), &names, &input.topic_arn)?;
            endpoints::check(&names, &topic, &input.protocol, &input.endpoint)?;
            let attributes = checked(&topic, &input)?;
            let sql = format!(
                "{SELECT} WHERE s.topic_id = ?1 AND s.protocol = ?2 AND s.endpoint = ?3 AND s.ended_ms IS NULL"
            );
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
                None => insert(unit, &names, &topic, &input, &attributes, &link.token)?,
            };
            let reached = is_reached(&input.protocol, &input.endpoint);
            if let Some(token) = found.token.as_deref().filter(|_| found.pending && reached) {
                let confirmation = Confirmation {
                    message_id: &link.message_id,
                    topic_arn: &names.topic_arn(&topic.name),
                    ended: None,
                    authority: &link.authority,
                    token,
                    signature_version: topic.signature_version(),
                    at: now,
                };
                delivery::add(unit, found.id, &Message::confirmation(&confirmation, signatures)?, now)?;
            }
            Ok(if found.pending && !wants_arn { PENDING.to_owned() } else { found.arn(&names) })
        };
        Ok(SubscriptionArn { subscription_arn: self.write_signed(subscribe).await? })
    }

    /// Confirms a subscription by its token; doing so again changes nothing.
    pub(super) async fn confirm(&self, input: Confirm, signed: bool) -> Result<SubscriptionArn, SnsError> {
        if input.token.is_empty() || !input.token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SnsError::InvalidToken);
        }
        let names = self.names.clone();
        let guarded = signed && input.authenticate_on_unsubscribe.as_deref() == Some("true");
        let confirm = move |unit: &mut Unit<'_>| {
            // The service asks for a topic of the region, and then the token alone counts.
            let topic = names.topic_in_arn(&input.topic_arn).map(|name| names.topic_arn(name));
            if topic.is_none_or(|topic| topic != input.topic_arn) {
                return Err(SnsError::refused("Topic"));
            }
            let sql = format!("{SELECT} WHERE s.token = ?1");
            let mut statement = unit.connection().prepare_cached(&sql)?;
            let found = statement.query_row([&input.token], subscription::subscription).optional()?;
            let found = found.ok_or_else(|| SnsError::refused("Token"))?;
            let sql = "UPDATE subscription SET pending = 0, authenticated = ?2, guarded = ?3, ended_ms = NULL \
                       WHERE id = ?1 AND pending";
            unit.connection().prepare_cached(sql)?.execute(params![found.id, signed, guarded])?;
            Ok::<_, SnsError>(found.arn(&names))
        };
        Ok(SubscriptionArn { subscription_arn: self.store.write(confirm).await? })
    }

    /// Removes a subscription. One that is not there is no error.
    pub(super) async fn unsubscribe(
        &self,
        input: OneSubscription,
        authority: &str,
        signed: bool,
    ) -> Result<(), SnsError> {
        let (names, link, now) = (self.names.clone(), Link::new(authority), self.clock.now());
        let remove = move |unit: &mut Unit<'_>, signatures: &Signatures| {
            match existing(unit.connection(), &names, &input.subscription_arn) {
                Ok(found) if found.guarded && !signed => Err(SnsError::NotAuthorized),
                // A link may have been followed by anybody who got the message, so that the server is asked.
                Ok(found) if !signed && !found.pending && is_reached(&found.protocol, &found.endpoint) => {
                    end(unit, &names, &found, &link, signatures, now)
                }
                Ok(found) => {
                    unit.connection().prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([found.id])?;
                    Ok(())
                }
                Err(SnsError::NoSubscription) => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.write_signed(remove).await
    }
}

/// Ends the subscription of a server and sends it what takes that back.
fn end(
    unit: &mut Unit<'_>,
    names: &Names,
    found: &Subscription,
    link: &Link,
    signatures: &Signatures,
    now: Millis,
) -> Result<(), SnsError> {
    let topic_arn = names.topic_arn(&found.topic);
    let topic = existing_topic(unit.connection(), names, &topic_arn)?;
    let confirmation = Confirmation {
        message_id: &link.message_id,
        topic_arn: &topic_arn,
        ended: Some(&found.arn(names)),
        authority: &link.authority,
        token: &link.token,
        signature_version: topic.signature_version(),
        at: now,
    };
    let message = Message::confirmation(&confirmation, signatures)?;
    let sql = "DELETE FROM subscription WHERE ended_ms < ?1";
    unit.connection().prepare_cached(sql)?.execute([now - REGRET])?;
    let sql = "UPDATE subscription SET token = ?2, pending = 1, ended_ms = ?3 WHERE id = ?1";
    unit.connection().prepare_cached(sql)?.execute(params![found.id, link.token, now])?;
    unit.connection().prepare_cached("DELETE FROM delivery WHERE subscription_id = ?1")?.execute([found.id])?;
    delivery::add(unit, found.id, &message, now)
}

/// What a request for confirmation is made of that is new. It is signed, and so must be the same whenever a unit of work runs.
struct Link {
    authority: String,
    token: String,
    message_id: String,
}

impl Link {
    fn new(authority: &str) -> Link {
        // As long as a token of the service.
        let token = hex::encode(rand::random::<[[u8; 24]; 6]>().concat());
        Link { authority: authority.to_owned(), token, message_id: Uuid::new_v4().to_string() }
    }
}

fn insert(
    unit: &Unit<'_>,
    names: &Names,
    topic: &Topic,
    input: &Subscribe,
    attributes: &AttributeMap,
    new_token: &str,
) -> Result<Subscription, SnsError> {
    let uuid = Uuid::new_v4().to_string();
    let pending = endpoints::must_confirm(&input.protocol);
    let token = pending.then_some(new_token);
    let sql =
        "DELETE FROM subscription WHERE topic_id = ?1 AND protocol = ?2 AND endpoint = ?3 AND ended_ms IS NOT NULL";
    unit.connection().prepare_cached(sql)?.execute(params![topic.id, input.protocol, input.endpoint])?;
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
