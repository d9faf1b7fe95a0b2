//! From a topic to its subscribers: who wants a message, and what each of them gets.
//!
//! All of it is one unit of work, so that after a crash either every subscriber has the message, or is about to, or none.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Millis,
    names::Names,
    sqs::{self, MessageAttributes, NewMessage, fifo},
    store::{StoreError, Unit},
};

use super::{
    delivery::{self, Message},
    endpoints::{HTTP, SMS},
    envelope::Notification,
    error::SnsError,
    message::Published,
    signing::Signatures,
    subscription::{self, Subscription},
    topics::{Topic, existing_topic},
};

/// The most attributes that a queue takes.
const MAX_QUEUE_ATTRIBUTES: usize = 10;
/// Added to the number of a publish: sequence numbers have 20 digits.
const FIRST_SEQUENCE: u64 = 10_000_000_000_000_000_000;

/// A message that is to be published. Its id is made before, for it is signed with the rest.
pub(super) struct Draft {
    /// What a batch calls it.
    id: Option<String>,
    message_id: String,
    published: Published,
}

impl Draft {
    pub(super) fn new(id: Option<String>, published: Published) -> Draft {
        Draft { id, message_id: Uuid::new_v4().to_string(), published }
    }
}

/// What a publisher is told of a message.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accepted {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

impl Accepted {
    pub(super) fn new(id: Option<String>, message_id: String, sequence_number: Option<String>) -> Accepted {
        Accepted { id, message_id, sequence_number }
    }
}

/// What a request says beside its parameters.
#[derive(Clone)]
pub(super) struct Caller {
    /// `host:port` as the client named us.
    pub(super) authority: String,
    /// What traces the request through services.
    pub(super) trace_header: Option<String>,
}

/// Messages for a topic, and from whom they are.
pub(super) struct Publication {
    pub(super) names: Names,
    pub(super) caller: Caller,
    pub(super) topic_arn: String,
    pub(super) drafts: Vec<Draft>,
    pub(super) now: Millis,
}

/// A subscription that wants a message, and the text it gets.
type Wanted<'s> = (&'s Subscription, String);

impl Publication {
    /// Publishes all, or fails and has changed nothing.
    pub(super) fn run(&self, unit: &mut Unit<'_>, signatures: &Signatures) -> Result<Vec<Accepted>, SnsError> {
        let topic = existing_topic(unit.connection(), &self.names, &self.topic_arn)?;
        // What one message lacks refuses them all.
        self.drafts.iter().try_for_each(|draft| draft.published.check_order(&topic))?;
        let subscriptions = subscription::of_topic(unit.connection(), topic.id)?;
        let filters: Vec<_> = subscriptions.iter().map(Subscription::filter).collect();
        let subscriptions: Vec<_> = subscriptions.iter().zip(&filters).collect();
        let topic_arn = self.names.topic_arn(&topic.name);
        let fan_out = FanOut { publication: self, topic, topic_arn, signatures };
        let messages = self.drafts.iter().map(|draft| {
            let mut wanted = Vec::new();
            for (subscription, filter) in &subscriptions {
                let text = draft.published.body_for(&subscription.protocol)?;
                let attributes = &draft.published.message_attributes;
                if filter.as_ref().is_none_or(|filter| filter.matches(attributes, &text)) {
                    wanted.push((*subscription, text));
                }
            }
            Ok((draft, wanted))
        });
        let messages = messages.collect::<Result<Vec<(&Draft, Vec<Wanted<'_>>)>, SnsError>>()?;
        fan_out.check_signatures(&messages)?;
        messages.iter().map(|(draft, wanted)| fan_out.publish(unit, draft, wanted)).collect()
    }
}

/// A publication to a topic that is there.
struct FanOut<'p> {
    publication: &'p Publication,
    topic: Topic,
    topic_arn: String,
    signatures: &'p Signatures,
}

impl FanOut<'_> {
    /// Fails where a signature is missing. One is good for all that get the same text.
    fn check_signatures(&self, messages: &[(&Draft, Vec<Wanted<'_>>)]) -> Result<(), SnsError> {
        if self.topic.is_fifo() {
            return Ok(());
        }
        let enveloped = messages.iter().flat_map(|(draft, wanted)| {
            let enveloped = wanted.iter().filter(|(subscription, _)| is_enveloped(subscription));
            enveloped.filter_map(|(subscription, text)| self.notification(draft, subscription, text, None).to_sign())
        });
        self.signatures.check(enveloped)
    }

    /// Publishes a message: once, where the topic has seen it in the last five minutes.
    fn publish(&self, unit: &mut Unit<'_>, draft: &Draft, wanted: &[Wanted<'_>]) -> Result<Accepted, SnsError> {
        let Draft { id, message_id, published } = draft;
        if !self.topic.is_fifo() {
            self.deliver(unit, draft, wanted, None, None)?;
            return Ok(Accepted::new(id.clone(), message_id.clone(), None));
        }
        let now = self.publication.now;
        let group = published.message_group_id.as_deref().unwrap_or_default();
        let dedup_id =
            published.message_deduplication_id.clone().unwrap_or_else(|| fifo::content_id(&published.message));
        let scope = if self.topic.deduplicates_by_group() { group } else { "" };
        let owner = fifo::Owner::Topic(self.topic.id);
        if let Some(seen) = fifo::recall(unit.connection(), owner, scope, &dedup_id, now)? {
            return Ok(Accepted::new(id.clone(), seen.message_id, Some(sequence_number(seen.sequence))));
        }
        let sql = "UPDATE topic SET sequence = sequence + 1 WHERE id = ?1 RETURNING sequence";
        let sequence = unit.connection().prepare_cached(sql)?.query_row([self.topic.id], |row| row.get(0))?;
        let number = sequence_number(sequence);
        self.deliver(unit, draft, wanted, Some(&dedup_id), Some(&number))?;
        let seen = fifo::Seen { message_id: message_id.clone(), sequence };
        fifo::remember(unit.connection(), owner, scope, &dedup_id, &seen, now)?;
        Ok(Accepted::new(id.clone(), seen.message_id, Some(number)))
    }

    fn notification<'a>(
        &'a self,
        draft: &'a Draft,
        subscription: &'a Subscription,
        text: &'a str,
        sequence_number: Option<&'a str>,
    ) -> Notification<'a> {
        Notification {
            message_id: &draft.message_id,
            topic_arn: &self.topic_arn,
            subscription_arn: subscription.arn(&self.publication.names),
            authority: &self.publication.caller.authority,
            subject: draft.published.subject.as_deref(),
            message: text,
            attributes: &draft.published.message_attributes,
            sequence_number,
            signature_version: self.topic.signature_version(),
            at: self.publication.now,
        }
    }

    /// Puts a message on its way to every subscriber that wants it.
    fn deliver(
        &self,
        unit: &mut Unit<'_>,
        draft: &Draft,
        wanted: &[Wanted<'_>],
        dedup_id: Option<&str>,
        sequence_number: Option<&str>,
    ) -> Result<(), SnsError> {
        let Publication { names, caller, now, .. } = self.publication;
        // Nothing leaves this machine.
        for (subscription, text) in wanted.iter().filter(|(subscription, _)| subscription.protocol != SMS) {
            let body = if is_enveloped(subscription) {
                self.notification(draft, subscription, text, sequence_number).to_json(self.signatures)?
            } else {
                text.clone()
            };
            let raw = subscription.is_raw();
            if subscription.protocol == HTTP {
                let message = Message::notification(draft.message_id.clone(), body, raw);
                delivery::add(unit, subscription.id, &message, *now)?;
                continue;
            }
            let published = &draft.published;
            let message = NewMessage {
                body,
                attributes: if raw { published.message_attributes.clone() } else { MessageAttributes::new() },
                sender: names.account.clone(),
                trace_header: caller.trace_header.clone(),
                group: published.message_group_id.clone(),
                dedup_id: dedup_id.map(str::to_owned),
                ..NewMessage::default()
            };
            put(unit, names, subscription, &message, *now)?;
        }
        Ok(())
    }
}

fn is_enveloped(subscription: &Subscription) -> bool {
    !subscription.is_raw() && subscription.protocol != SMS
}

/// Puts a message into the subscribed queue, or, where that is gone or would refuse it, into the dead-letter queue: there, too, for
/// what is no queue and not on this machine.
fn put(
    unit: &mut Unit<'_>,
    names: &Names,
    subscription: &Subscription,
    message: &NewMessage,
    now: Millis,
) -> Result<(), StoreError> {
    let name = names.queue_in_arn(&subscription.endpoint);
    let queue = name.map(|name| sqs::find_queue(unit.connection(), name)).transpose()?.flatten();
    match queue {
        Some(queue) if message.attributes.len() <= MAX_QUEUE_ATTRIBUTES => {
            sqs::enqueue(unit, &queue, message, now)?;
            Ok(())
        }
        _ => delivery::bury(unit, names, subscription, message, now),
    }
}

fn sequence_number(sequence: i64) -> String {
    (FIRST_SEQUENCE + sequence.unsigned_abs()).to_string()
}
