//! Events of objects, sent to queues in the transaction of what caused them, and noted there for topics: a crash leaves both or
//! neither.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use s3s::dto::{EventList, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clock::{Millis, iso8601},
    names::Names,
    sns,
    sqs::{self, NewMessage},
    store::Unit,
};

use super::{
    error::Failure,
    rows::{Bucket, Object},
    settings::from_xml,
    versions::Deletion,
};

/// The subject of all that goes to topics.
const SUBJECT: &str = "Amazon S3 Notification";
/// The entity tag of what has no bytes, which a delete marker is said to have.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// The events that may be asked for. Of those that are not of [`Change`], none ever happens here.
pub(super) const EVENTS: &[&str] = &[
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
];

/// What can happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Put,
    Post,
    Copy,
    Complete,
    Delete,
    MarkerCreated,
    TaggingPut,
    TaggingDelete,
    AclPut,
    RestorePost,
    RestoreCompleted,
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Change::Put => "ObjectCreated:Put",
            Change::Post => "ObjectCreated:Post",
            Change::Copy => "ObjectCreated:Copy",
            Change::Complete => "ObjectCreated:CompleteMultipartUpload",
            Change::Delete => "ObjectRemoved:Delete",
            Change::MarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Change::TaggingPut => "ObjectTagging:Put",
            Change::TaggingDelete => "ObjectTagging:Delete",
            Change::AclPut => "ObjectAcl:Put",
            Change::RestorePost => "ObjectRestore:Post",
            Change::RestoreCompleted => "ObjectRestore:Completed",
        }
    }
}

/// Something that happened to an object.
pub(super) struct Event<'a> {
    change: Change,
    key: &'a str,
    at: Millis,
    version: Option<String>,
    etag: Option<&'a str>,
    size: Option<u64>,
    /// Until when it can be read, and what it was archived in.
    restored: Option<(Millis, String)>,
    /// What traces the request through services.
    trace_header: Option<String>,
}

impl<'a> Event<'a> {
    pub(super) fn of_object(change: Change, key: &'a str, object: &'a Object, version: Option<String>) -> Event<'a> {
        let has_size = ["ObjectCreated", "ObjectRestore"].iter().any(|kind| change.name().starts_with(kind));
        let size = has_size.then_some(object.size);
        let restored = object.facts.restored_until.filter(|_| change == Change::RestoreCompleted);
        let restored = restored.map(|until| (until, object.facts.class()));
        let (at, etag) = (object.modified, Some(object.etag.as_str()));
        Event { change, key, at, version, etag, size, restored, trace_header: None }
    }

    /// The event of a deletion: none where nothing was there.
    pub(super) fn of_deletion(key: &'a str, deletion: &Deletion, at: Millis) -> Option<Event<'a>> {
        let removed = |version| Event {
            change: Change::Delete,
            key,
            at,
            version,
            etag: None,
            size: None,
            restored: None,
            trace_header: None,
        };
        match deletion {
            Deletion::Plain { existed } => existed.then(|| removed(None)),
            Deletion::Version { version, existed, .. } => existed.then(|| removed(Some(version.clone()))),
            Deletion::Marked { version } => Some(Event {
                change: Change::MarkerCreated,
                etag: Some(ETAG_OF_NOTHING),
                ..removed(Some(version.clone()))
            }),
        }
    }

    /// Has the event carry what traces its request.
    pub(super) fn traced(mut self, trace_header: Option<String>) -> Event<'a> {
        self.trace_header = trace_header;
        self
    }

    /// Sends the event wherever the bucket's configuration says.
    pub(super) fn send(&self, unit: &mut Unit<'_>, names: &Names, bucket: &Bucket) -> Result<(), Failure> {
        let Some(configuration) = bucket.notification.as_deref() else { return Ok(()) };
        let configuration: NotificationConfiguration = from_xml(configuration)?;
        for target in targets(&configuration) {
            if target.wants(self) {
                let message = self.to_json(names, bucket, target.id.unwrap_or_default()).to_string();
                target.send(unit, names, message, self.trace_header.clone(), self.at)?;
            }
        }
        Ok(())
    }

    fn to_json(&self, names: &Names, bucket: &Bucket, configuration: &str) -> Value {
        let mut object = json!({ "key": encoded_key(self.key) });
        if let Some(size) = self.size {
            object["size"] = size.into();
        }
        if let Some(etag) = self.etag {
            object["eTag"] = etag.into();
        }
        if let Some(version) = &self.version {
            object["versionId"] = version.as_str().into();
        }
        // Of what is not about the bytes there is no order.
        let is_later = matches!(self.change, Change::TaggingPut | Change::TaggingDelete | Change::AclPut);
        if !is_later {
            object["sequencer"] = sequencer(self.at).into();
        }
        // What was asked for has happened, which nobody asks for by itself.
        let (who, address) = match self.change {
            Change::RestoreCompleted => ("AmazonCustomer", "s3.amazonaws.com"),
            _ => ("AWS", "127.0.0.1"),
        };
        let mut record = json!({
            "eventVersion": if is_later { "2.3" } else { "2.1" },
            "eventSource": "aws:s3",
            "awsRegion": bucket.region(),
            "eventTime": iso8601(self.at),
            "eventName": self.change.name(),
            "userIdentity": { "principalId": format!("{who}:{}", names.account) },
            "requestParameters": { "sourceIPAddress": address },
            "responseElements": { "x-amz-request-id": request_id(), "x-amz-id-2": host_id() },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration,
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": { "principalId": names.account },
                    "arn": format!("arn:aws:s3:::{}", bucket.name),
                },
                "object": object,
            },
        });
        if let Some((until, class)) = &self.restored {
            record["glacierEventData"] = json!({ "restoreEventData": {
                "lifecycleRestorationExpiryTime": iso8601(*until),
                "lifecycleRestoreStorageClass": class,
            } });
        }
        json!({ "Records": [record] })
    }
}

/// What can want events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Queue,
    Topic,
    /// There are none on this machine.
    Function,
}

/// What wants events.
pub(super) struct Target<'c> {
    pub(super) arn: &'c str,
    pub(super) id: Option<&'c str>,
    pub(super) events: &'c EventList,
    pub(super) filter: Option<&'c NotificationConfigurationFilter>,
    pub(super) service: Service,
}

/// All that want events by a configuration.
pub(super) fn targets(configuration: &NotificationConfiguration) -> Vec<Target<'_>> {
    let queues = configuration.queue_configurations.iter().flatten().map(|queue| Target {
        arn: &queue.queue_arn,
        id: queue.id.as_deref(),
        events: &queue.events,
        filter: queue.filter.as_ref(),
        service: Service::Queue,
    });
    let topics = configuration.topic_configurations.iter().flatten().map(|topic| Target {
        arn: &topic.topic_arn,
        id: topic.id.as_deref(),
        events: &topic.events,
        filter: topic.filter.as_ref(),
        service: Service::Topic,
    });
    let functions = configuration.lambda_function_configurations.iter().flatten().map(|function| Target {
        arn: &function.lambda_function_arn,
        id: function.id.as_deref(),
        events: &function.events,
        filter: function.filter.as_ref(),
        service: Service::Function,
    });
    queues.chain(topics).chain(functions).collect()
}

impl Target<'_> {
    /// The names and values of the rules on keys.
    pub(super) fn rules(&self) -> impl Iterator<Item = (String, &str)> {
        let rules = self.filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_ref());
        rules.into_iter().flatten().map(|rule| {
            let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
            (name, rule.value.as_deref().unwrap_or_default())
        })
    }

    /// The name of a rule as its client wrote it.
    pub(super) fn name_as_given(&self, name: &str) -> &str {
        let rules = self.filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_ref());
        let names = rules.into_iter().flatten().filter_map(|rule| rule.name.as_ref());
        names.map(FilterRuleName::as_str).find(|given| given.eq_ignore_ascii_case(name)).unwrap_or_default()
    }

    fn wants(&self, event: &Event<'_>) -> bool {
        let name = event.change.name();
        let kind = name.split(':').next().unwrap_or_default();
        let named = self.events.iter().any(|wanted| {
            let wanted = wanted.as_ref().strip_prefix("s3:").unwrap_or_default();
            wanted == name || wanted.strip_suffix(":*") == Some(kind)
        });
        named
            && self.rules().all(|(rule, value)| match rule.as_str() {
                "suffix" => event.key.ends_with(value),
                _ => event.key.starts_with(value),
            })
    }

    /// Sends a message. What went to a queue or a topic that is gone by now is lost, as on AWS.
    pub(super) fn send(
        &self,
        unit: &mut Unit<'_>,
        names: &Names,
        message: String,
        trace_header: Option<String>,
        now: Millis,
    ) -> Result<(), Failure> {
        match self.service {
            Service::Queue => {}
            Service::Topic => return Ok(sns::announce(unit, self.arn, SUBJECT, &message)?),
            Service::Function => return Ok(()),
        }
        let queue = names.queue_in_arn(self.arn).map(|name| sqs::find_queue(unit.connection(), name)).transpose()?;
        let Some(queue) = queue.flatten() else {
            tracing::warn!(queue = self.arn, "a queue that was to have events is gone: the event is dropped");
            return Ok(());
        };
        let sender = names.account.clone();
        let message = NewMessage { body: message, trace_header, sender, ..NewMessage::default() };
        sqs::enqueue(unit, &queue, &message, now)?;
        Ok(())
    }
}

/// What a queue or a topic gets when it is first named.
pub(super) fn test_event(bucket: &str, now: Millis) -> String {
    let event = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso8601(now),
        "Bucket": bucket,
        "RequestId": request_id(),
        "HostId": host_id(),
    });
    event.to_string()
}

/// What traces a request through services, where it says so.
pub(super) fn trace_header(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok()).map(str::to_owned)
}

/// An id of a request, as AWS makes them.
pub(super) fn request_id() -> String {
    Uuid::new_v4().simple().to_string()[..16].to_ascii_uppercase()
}

pub(super) fn host_id() -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    BASE64_STANDARD.encode([&first.as_bytes()[..], &second.as_bytes()[..], &first.as_bytes()[..10]].concat())
}

/// Of two events of a key, the later has the higher text.
fn sequencer(now: Millis) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let least = now.unsigned_abs() << 16;
    let next = |last: u64| least.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))).unwrap_or_default();
    format!("{:018X}", next(last))
}

/// A key as events have it: form-encoded, its slashes as they are.
fn encoded_key(key: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    encoded.replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_but_for_slashes() {
        assert_eq!(encoded_key("a b/é+c"), "a+b/%C3%A9%2Bc");
    }

    #[test]
    fn sequencers_grow() {
        let first = sequencer(1_700_000_000_000);
        assert!(first < sequencer(1_700_000_000_000));
        assert_eq!(first.len(), 18);
    }
}
