//! Clients that do everything at once until the endpoint is gone, and note what they were promised.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    error::SdkError,
    operation::get_object::GetObjectError,
    types::{CompletedMultipartUpload, CompletedPart},
};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use tokio::task::JoinSet;

use super::ledger::Ledger;

const QUEUE: &str = "tasks";
const TOPIC: &str = "images";
const FANNED: [&str; 2] = ["resize", "tag"];
const BUCKET: &str = "photos";
/// Keys of each writer, which nobody else writes.
const KEYS: u64 = 8;

/// How long a message is hidden, in seconds, and a little less than that.
const VISIBILITY: &str = "1";
const HIDDEN: Duration = Duration::from_millis(900);

const SENDERS: usize = 3;
const RECEIVERS: usize = 3;
const PUBLISHERS: usize = 2;
const WRITERS: usize = 3;

/// The clients, and what they share.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// Numbers what is sent and written.
    pub(crate) next: Arc<AtomicU64>,
}

/// The endpoint went away before it answered.
struct Gone;

/// An answer, or that there was none. An error that the endpoint itself answers with is a bug.
fn answered<T, E: Debug>(result: Result<T, SdkError<E>>) -> Result<T, Gone> {
    match result {
        Ok(answer) => Ok(answer),
        Err(SdkError::ServiceError(error)) => panic!("the endpoint refused: {error:?}"),
        Err(_) => Err(Gone),
    }
}

impl Clients {
    /// Makes the queues, the topic and the bucket; they outlast every kill.
    pub(crate) async fn prepare(&self) {
        for name in [QUEUE].iter().chain(&FANNED) {
            let make = self.sqs.create_queue().queue_name(*name);
            make.attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY).send().await.unwrap();
        }
        let topic = self.sns.create_topic().name(TOPIC).send().await.unwrap().topic_arn.unwrap();
        for name in FANNED {
            let arn = topic.replace(":sns:", ":sqs:").replace(TOPIC, name);
            let subscribe = self.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
            subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
        }
        self.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    }

    /// Starts everybody.
    pub(crate) fn start(&self, url: &str) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let queue = queue_url(url, QUEUE);
        let topic = format!("arn:aws:sns:{}:{}:{TOPIC}", crate::support::REGION, crate::support::ACCOUNT);
        for number in 0..SENDERS {
            let (clients, queue) = (self.clone(), queue.clone());
            tasks.spawn(async move {
                if number == 0 {
                    while clients.send_batch(&queue).await.is_ok() {}
                } else {
                    while clients.send(&queue).await.is_ok() {}
                }
            });
        }
        for _ in 0..RECEIVERS {
            let (clients, queue) = (self.clone(), queue.clone());
            tasks.spawn(async move { while clients.receive_and_delete(&queue).await.is_ok() {} });
        }
        for _ in 0..PUBLISHERS {
            let (clients, topic) = (self.clone(), topic.clone());
            tasks.spawn(async move { while clients.publish(&topic).await.is_ok() {} });
        }
        for writer in 0..WRITERS {
            let clients = self.clone();
            tasks.spawn(async move { while clients.write(writer).await.is_ok() {} });
        }
        tasks
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, note: impl FnOnce(&mut Ledger)) {
        note(&mut self.ledger.lock().unwrap());
    }

    async fn send(&self, queue: &str) -> Result<(), Gone> {
        let body = format!("message {}", self.number());
        self.note(|ledger| ledger.sending(&body));
        answered(self.sqs.send_message().queue_url(queue).message_body(&body).send().await)?;
        self.note(|ledger| ledger.sent(&body));
        Ok(())
    }

    async fn send_batch(&self, queue: &str) -> Result<(), Gone> {
        let bodies: Vec<String> = (0..10).map(|_| format!("message {} of a batch", self.number())).collect();
        self.note(|ledger| bodies.iter().for_each(|body| ledger.sending(body)));
        let entries = bodies.iter().enumerate().map(|(index, body)| {
            SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body).build().unwrap()
        });
        let batch = self.sqs.send_message_batch().queue_url(queue).set_entries(Some(entries.collect()));
        let answer = answered(batch.send().await)?;
        assert_eq!(answer.successful.len(), bodies.len(), "{:?}", answer.failed);
        self.note(|ledger| bodies.iter().for_each(|body| ledger.sent(body)));
        Ok(())
    }

    async fn receive(&self, queue: &str) -> Result<Vec<Message>, Gone> {
        let count = MessageSystemAttributeName::ApproximateReceiveCount;
        let receive = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let messages =
            answered(receive.message_system_attribute_names(count).send().await)?.messages.unwrap_or_default();
        Ok(messages)
    }

    /// Receives, deletes two of three, and gives the third back.
    async fn receive_and_delete(&self, queue: &str) -> Result<(), Gone> {
        let asked = Instant::now();
        let messages = self.receive(queue).await?;
        self.note(|ledger| messages.iter().for_each(|message| ledger.received(body(message), count(message))));
        for message in messages {
            let handle = message.receipt_handle().unwrap();
            if self.number().is_multiple_of(3) {
                let show = self.sqs.change_message_visibility().queue_url(queue).receipt_handle(handle);
                answered(show.visibility_timeout(0).send().await)?;
                continue;
            }
            self.note(|ledger| ledger.deleting(body(&message)));
            answered(self.sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await)?;
            // Later than that somebody else may have it, and then this handle deletes nothing.
            if asked.elapsed() < HIDDEN {
                self.note(|ledger| ledger.deleted(body(&message)));
            }
        }
        Ok(())
    }

    async fn publish(&self, topic: &str) -> Result<(), Gone> {
        let body = format!("publication {}", self.number());
        self.note(|ledger| ledger.publishing(&body));
        answered(self.sns.publish().topic_arn(topic).message(&body).send().await)?;
        self.note(|ledger| ledger.published(&body));
        Ok(())
    }

    /// Puts an object, small or large, in one part or in several, or removes it.
    async fn write(&self, writer: usize) -> Result<(), Gone> {
        let generation = self.number();
        let key = format!("{writer}/{}", generation % KEYS);
        if generation.is_multiple_of(5) {
            self.note(|ledger| ledger.writing(&key, None));
            answered(self.s3.delete_object().bucket(BUCKET).key(&key).send().await)?;
            self.note(|ledger| ledger.wrote(&key, None));
            return Ok(());
        }
        let content = content(&key, generation);
        self.note(|ledger| ledger.writing(&key, Some(generation)));
        if generation.is_multiple_of(7) {
            self.upload(&key, content).await?;
        } else {
            answered(self.s3.put_object().bucket(BUCKET).key(&key).body(content.into()).send().await)?;
        }
        self.note(|ledger| ledger.wrote(&key, Some(generation)));
        Ok(())
    }

    async fn upload(&self, key: &str, content: Vec<u8>) -> Result<(), Gone> {
        let begun = answered(self.s3.create_multipart_upload().bucket(BUCKET).key(key).send().await)?;
        let id = begun.upload_id().unwrap();
        let part = self.s3.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(1);
        let tag = answered(part.body(content.into()).send().await)?.e_tag;
        let part = CompletedPart::builder().part_number(1).set_e_tag(tag).build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let complete =
            self.s3.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id).multipart_upload(parts);
        answered(complete.send().await)?;
        Ok(())
    }

    /// Reads every key, and looks whether it holds what it may.
    pub(crate) async fn check_objects(&self) {
        let keys = self.ledger.lock().unwrap().keys();
        for key in keys {
            let held = match self.s3.get_object().bucket(BUCKET).key(&key).send().await {
                Ok(object) => Some(object.body.collect().await.unwrap().to_vec()),
                Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => None,
                Err(error) => panic!("{key} cannot be read: {error:?}"),
            };
            let generation = held.as_deref().map(generation);
            let whole = held.is_none_or(|held| generation.is_some_and(|generation| held == content(&key, generation)));
            self.note(|ledger| {
                if !whole {
                    ledger.wrong(format!("the content of {key} is not whole"));
                }
                ledger.read(&key, generation);
            });
        }
    }

    /// Empties every queue, and looks whether all is there that must be.
    pub(crate) async fn check_messages(&self, url: &str) {
        let left = self.drain(&queue_url(url, QUEUE), true).await;
        let mut fanned = Vec::new();
        for name in FANNED {
            fanned.push(self.drain(&queue_url(url, name), false).await);
        }
        self.note(|ledger| {
            ledger.drained(&left);
            ledger.fanned_out(&fanned);
        });
    }

    async fn drain(&self, queue: &str, counted: bool) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let all = MessageSystemAttributeName::ApproximateReceiveCount;
        loop {
            // What a kill left hidden becomes visible meanwhile.
            let receive = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10).wait_time_seconds(2);
            let received = receive.message_system_attribute_names(all.clone()).send().await.unwrap();
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return found;
            }
            if counted {
                self.note(|ledger| messages.iter().for_each(|message| ledger.received(body(message), count(message))));
            }
            let entries = messages.iter().enumerate().map(|(index, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(message.receipt_handle().unwrap()).build().unwrap()
            });
            let delete = self.sqs.delete_message_batch().queue_url(queue).set_entries(Some(entries.collect()));
            delete.send().await.unwrap();
            found.extend(messages.iter().map(|message| body(message).to_owned()));
        }
    }
}

fn queue_url(url: &str, name: &str) -> String {
    format!("{url}/{}/{name}", crate::support::ACCOUNT)
}

fn body(message: &Message) -> &str {
    message.body().unwrap()
}

fn count(message: &Message) -> i64 {
    let attributes = message.attributes().unwrap();
    attributes[&MessageSystemAttributeName::ApproximateReceiveCount].parse().unwrap()
}

/// A text that says of which key and generation it is, again and again. Some are kept in a row, some in a file.
fn content(key: &str, generation: u64) -> Vec<u8> {
    let line = format!("{generation} {key}\n");
    let size = if generation.is_multiple_of(2) { 3_000 } else { 90_000 };
    line.repeat(size / line.len()).into_bytes()
}

fn generation(content: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(content);
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
