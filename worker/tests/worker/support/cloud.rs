//! An endpoint of S3, SQS and SNS that belongs to one test.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::{Credentials as Keys, SharedCredentialsProvider};
use aws_sdk_sqs::types::QueueAttributeName;
use decouple_endpoint::{Config, Credentials, Endpoint};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::eventually;

pub(crate) const ACCESS_KEY: &str = "AKIDTEST";
pub(crate) const SECRET_KEY: &str = "test-secret-access-key";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const BUCKET: &str = "photos";
/// Short, so that the task of a worker that was killed comes back soon.
pub(crate) const VISIBILITY_SECONDS: &str = "6";

/// A running endpoint with a bucket, and clients for it.
pub(crate) struct Cloud {
    directory: TempDir,
    port: u16,
    serving: Option<(JoinHandle<()>, CancellationToken)>,
    pub(crate) s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
}

/// A queue with dead letters.
pub(crate) struct Queue {
    sqs: aws_sdk_sqs::Client,
    pub(crate) url: String,
    dead: String,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Keys::new(ACCESS_KEY, SECRET_KEY, None, None, "test")))
            .load()
            .await;
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        let mut cloud = Self {
            directory,
            port,
            serving: None,
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&sdk),
            sns: aws_sdk_sns::Client::new(&sdk),
        };
        cloud.serve(listener).await;
        cloud.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        cloud
    }

    async fn serve(&mut self, listener: TcpListener) {
        let credentials = Credentials { access_key_id: ACCESS_KEY.into(), secret_access_key: SECRET_KEY.into() };
        let config = Config {
            data_dir: self.directory.path().to_owned(),
            region: REGION.into(),
            account: Config::DEFAULT_ACCOUNT.into(),
            credentials,
        };
        let endpoint = Endpoint::open(config).await.unwrap();
        let stop = CancellationToken::new();
        let shutdown = stop.clone();
        let serving = tokio::spawn(async move { endpoint.serve(listener, shutdown).await.unwrap() });
        self.serving = Some((serving, stop));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Takes the endpoint away.
    pub(crate) async fn stop(&mut self) {
        let (serving, stop) = self.serving.take().expect("the endpoint runs");
        stop.cancel();
        serving.await.unwrap();
    }

    /// Brings the endpoint back, at the same address and with all it had.
    pub(crate) async fn restart(&mut self) {
        let address = format!("127.0.0.1:{}", self.port);
        let listener = eventually("the endpoint's port is free", async || TcpListener::bind(&address).await.ok()).await;
        self.serve(listener).await;
    }

    /// Creates a queue whose messages become dead letters when they were received so often.
    pub(crate) async fn queue(&self, name: &str, max_receives: u32) -> Queue {
        let dead = self.sqs.create_queue().queue_name(format!("{name}-dead")).send().await.unwrap().queue_url.unwrap();
        let attributes = self.sqs.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
        let attributes = attributes.send().await.unwrap().attributes.unwrap();
        let arn = &attributes[&QueueAttributeName::QueueArn];
        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{max_receives}"}}"#);
        let create = self.sqs.create_queue().queue_name(name);
        let create = create.attributes(QueueAttributeName::RedrivePolicy, redrive);
        let create = create.attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY_SECONDS);
        let url = create.send().await.unwrap().queue_url.unwrap();
        Queue { sqs: self.sqs.clone(), url, dead }
    }

    /// Creates a topic that delivers to these queues as the stages do: raw.
    pub(crate) async fn topic(&self, queues: &[&Queue]) -> String {
        let topic = self.sns.create_topic().name("images").send().await.unwrap().topic_arn.unwrap();
        for queue in queues {
            let attributes =
                self.sqs.get_queue_attributes().queue_url(&queue.url).attribute_names(QueueAttributeName::QueueArn);
            let attributes = attributes.send().await.unwrap().attributes.unwrap();
            self.sns
                .subscribe()
                .topic_arn(&topic)
                .protocol("sqs")
                .endpoint(&attributes[&QueueAttributeName::QueueArn])
                .attributes("RawMessageDelivery", "true")
                .send()
                .await
                .unwrap();
        }
        topic
    }

    /// Returns the keys of all objects.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let listing = self.s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        listing.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }
}

impl Queue {
    async fn arn(&self, url: &str) -> String {
        let attributes = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
        attributes.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone()
    }

    /// Has every dead letter sent to the queue again, as people do.
    pub(crate) async fn move_dead_letters_back(&self) {
        let dead = self.arn(&self.dead).await;
        self.sqs.start_message_move_task().source_arn(dead).send().await.unwrap();
    }

    async fn count(&self, url: &str, attribute: QueueAttributeName) -> u32 {
        let attributes = self.sqs.get_queue_attributes().queue_url(url).attribute_names(attribute.clone());
        attributes.send().await.unwrap().attributes.unwrap()[&attribute].parse().unwrap()
    }

    /// Returns how many messages wait.
    pub(crate) async fn visible(&self) -> u32 {
        self.count(&self.url, QueueAttributeName::ApproximateNumberOfMessages).await
    }

    /// Returns how many messages somebody holds.
    pub(crate) async fn in_flight(&self) -> u32 {
        self.count(&self.url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await
    }

    /// Returns how many messages nobody could work on.
    pub(crate) async fn dead(&self) -> u32 {
        self.count(&self.dead, QueueAttributeName::ApproximateNumberOfMessages).await
    }

    /// Waits until no message waits and none is held.
    pub(crate) async fn drained(&self) {
        eventually("the queue is empty", async || {
            (self.visible().await == 0 && self.in_flight().await == 0).then_some(())
        })
        .await;
    }

    /// Removes the queue and all that is in it, and makes it anew under the address that it had.
    pub(crate) async fn lost_and_made_anew(&self, cloud: &Cloud, name: &str) {
        let made = async || {
            let attributes = self.sqs.get_queue_attributes().queue_url(&self.url);
            let attributes = attributes.attribute_names(QueueAttributeName::CreatedTimestamp).send().await.unwrap();
            attributes.attributes.unwrap()[&QueueAttributeName::CreatedTimestamp].clone()
        };
        let before = made().await;
        // It says in seconds when it was made.
        eventually("the queue is another", async || {
            self.sqs.delete_queue().queue_url(&self.url).send().await.unwrap();
            assert_eq!(cloud.queue(name, 5).await.url, self.url);
            (made().await != before).then_some(())
        })
        .await;
    }

    /// Removes the queue.
    pub(crate) async fn remove(&self) {
        self.sqs.delete_queue().queue_url(&self.url).send().await.unwrap();
    }

    /// Receives a message, where there is one, and returns its attributes.
    pub(crate) async fn attributes_of_the_next(&self) -> Option<BTreeMap<String, String>> {
        let receive = self.sqs.receive_message().queue_url(&self.url).message_attribute_names("All");
        let message = receive.send().await.unwrap().messages?.pop()?;
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        Some(attributes.map(|(name, value)| (name, value.string_value.unwrap())).collect())
    }

    /// Sends a message as anybody could.
    pub(crate) async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }
}
