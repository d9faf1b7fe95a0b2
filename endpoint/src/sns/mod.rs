//! SNS: topics, and their subscriptions by queues and by HTTP servers on this machine.
//!
//! A publish puts its message into every subscribed queue, and on its way to every server, in ONE unit of work, so that after a
//! crash either all of them have it or none. Nothing leaves this machine, whoever is subscribed.

mod announcements;
mod delivery;
mod endpoints;
mod envelope;
mod error;
mod fan_out;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod message;
mod permissions;
mod policy;
mod publish;
mod retry;
mod signing;
mod signing_key;
mod subscribe;
mod subscription;
mod subscriptions;
mod topic_attributes;
mod topics;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use serde::Serialize;

use crate::{
    Config,
    clock::SharedClock,
    names::Names,
    store::Store,
    wire::{self, Call, Fault, Outcome, Output},
};

pub(crate) use announcements::{announce, has_topic};
pub(crate) use signing_key::CERTIFICATES;

use error::SnsError;
use fan_out::Caller;
use signing::Signer;

/// Names and values as clients see them.
type AttributeMap = BTreeMap<String, String>;

/// The service.
pub(crate) struct Sns {
    store: Arc<Store>,
    clock: SharedClock,
    names: Names,
    signer: Signer,
    /// Where the endpoint serves, once it does.
    address: OnceLock<SocketAddr>,
}

impl Sns {
    pub(crate) fn new(config: &Config, store: Arc<Store>, clock: SharedClock) -> Self {
        let names = Names { region: config.region.clone(), account: config.account.clone() };
        Sns { store, clock, names, signer: Signer::default(), address: OnceLock::new() }
    }

    /// Tells where the endpoint serves, for links in what no request asked for.
    pub(crate) fn serves_at(&self, address: SocketAddr) {
        // An endpoint serves once.
        let _already = self.address.set(address);
    }

    /// The host and port of links, where no request names them.
    fn authority(&self) -> String {
        match self.address.get() {
            Some(address) if !address.ip().is_unspecified() => address.to_string(),
            Some(address) => format!("localhost:{}", address.port()),
            None => "localhost".to_owned(),
        }
    }

    /// Runs one operation.
    pub(crate) async fn call(&self, call: &Call) -> Outcome {
        match call.action.as_str() {
            "CreateTopic" => answer(self.create_topic(call.params.decode()?).await),
            "DeleteTopic" => done(self.delete_topic(call.params.decode()?).await),
            "ListTopics" => answer(self.list_topics(call.params.decode()?).await),
            "GetTopicAttributes" => answer(self.topic_attributes(call.params.decode()?).await),
            "SetTopicAttributes" => done(self.set_topic_attribute(call.params.decode()?).await),
            "TagResource" => empty(self.tag(call.params.decode()?).await),
            "UntagResource" => empty(self.untag(call.params.decode()?).await),
            "ListTagsForResource" => answer(self.list_tags(call.params.decode()?).await),
            "Subscribe" => answer(self.subscribe(call.params.decode()?, &call.authority).await),
            "Unsubscribe" => done(self.unsubscribe(call.params.decode()?, &call.authority, call.signed).await),
            "ConfirmSubscription" => answer(self.confirm(call.params.decode()?, call.signed).await),
            "ListSubscriptions" => answer(self.list_subscriptions(call.params.decode()?).await),
            "ListSubscriptionsByTopic" => answer(self.list_subscriptions_by_topic(call.params.decode()?).await),
            "GetSubscriptionAttributes" => answer(self.subscription_attributes(call.params.decode()?).await),
            "SetSubscriptionAttributes" => done(self.set_subscription_attribute(call.params.decode()?).await),
            "Publish" => answer(self.publish(call.params.decode()?, caller(call)).await),
            "PublishBatch" => answer(self.publish_batch(call.params.decode()?, caller(call)).await),
            "AddPermission" => done(self.add_permission(call.params.decode()?).await),
            "RemovePermission" => done(self.remove_permission(call.params.decode()?).await),
            "CreatePlatformApplication"
            | "CreatePlatformEndpoint"
            | "GetDataProtectionPolicy"
            | "PutDataProtectionPolicy"
            | "GetSMSAttributes"
            | "SetSMSAttributes"
            | "CheckIfPhoneNumberIsOptedOut"
            | "CreateSMSSandboxPhoneNumber"
            | "DeleteEndpoint"
            | "DeletePlatformApplication"
            | "DeleteSMSSandboxPhoneNumber"
            | "GetEndpointAttributes"
            | "GetPlatformApplicationAttributes"
            | "GetSMSSandboxAccountStatus"
            | "ListOriginationNumbers"
            | "ListPhoneNumbersOptedOut"
            | "ListSMSSandboxPhoneNumbers"
            | "OptInPhoneNumber"
            | "SetEndpointAttributes"
            | "SetPlatformApplicationAttributes"
            | "VerifySMSSandboxPhoneNumber"
            | "ListPlatformApplications"
            | "ListEndpointsByPlatformApplication" => Err(Fault::not_implemented(&call.action)),
            other => Err(Fault::unknown_action(other)),
        }
    }
}

fn caller(call: &Call) -> Caller {
    Caller { authority: call.authority.clone(), trace_header: call.trace_header.clone() }
}

fn answer<T: Serialize>(output: Result<T, SnsError>) -> Outcome {
    wire::output(&output?)
}

/// An operation whose answer has no result element.
fn done(outcome: Result<(), SnsError>) -> Outcome {
    outcome?;
    Ok(Output::Nothing)
}

/// An operation whose answer has an empty result element.
fn empty(outcome: Result<(), SnsError>) -> Outcome {
    outcome?;
    Ok(Output::Json("{}".to_owned()))
}

/// Turns a page's last row into the token for the next page, and back. Opaque to clients.
mod paging {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::SnsError;

    /// As many as the service has on a page.
    pub(super) const PAGE: usize = 100;
    /// One more than a page, to see whether there is more.
    pub(super) const LIMIT: i64 = 101;

    pub(super) fn start(token: Option<&str>) -> Result<i64, SnsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| SnsError::invalid("NextToken", "it is not a token of this endpoint"))?;
        Ok(i64::from_be_bytes(bytes))
    }

    /// Cuts `rows` (one more than a page, where there are more) to a page, and makes the token for the rest.
    pub(super) fn cut<T>(rows: &mut Vec<T>, id: impl Fn(&T) -> i64) -> Option<String> {
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        rows.last().filter(|_| more).map(|last| BASE64_URL_SAFE_NO_PAD.encode(id(last).to_be_bytes()))
    }
}
