//! SQS by the official SDK.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata,
    types::{
        Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use tokio::time::timeout;

use crate::support::{DEADLINE, Running, fresh};

async fn queue(sqs: &Client, name: &str) -> String {
    sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
}

async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(sqs: &Client, url: &str, wait: i32) -> Vec<Message> {
    let receive = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All");
    timeout(DEADLINE, receive.send()).await.unwrap().unwrap().messages.unwrap_or_default()
}

async fn attribute(sqs: &Client, url: &str, name: QueueAttributeName) -> String {
    let attributes =
        sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await.unwrap();
    attributes.attributes.unwrap().get(&name).cloned().unwrap_or_default()
}

fn system(message: &Message, name: &MessageSystemAttributeName) -> String {
    message.attributes.as_ref().and_then(|attributes| attributes.get(name)).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_message_goes_through_with_all_that_it_has() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    assert_eq!(url, format!("{}/000000000000/tasks", endpoint.url()));
    let number = MessageAttributeValue::builder().data_type("Number.int").string_value("42").build().unwrap();
    let bytes = aws_sdk_sqs::primitives::Blob::new([0u8, 255]);
    let binary = MessageAttributeValue::builder().data_type("Binary").binary_value(bytes).build().unwrap();
    let message = sqs.send_message().queue_url(&url).message_body("héllo <&> \u{1f600}\r\n");
    // The SDK itself verifies the digests of what it sends and receives.
    let sent =
        message.message_attributes("count", number.clone()).message_attributes("raw", binary).send().await.unwrap();
    let messages = receive(&sqs, &url, 0).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message.body(), Some("héllo <&> \u{1f600}\r\n"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(message.message_attributes().unwrap()["count"], number);
    assert_eq!(system(message, &MessageSystemAttributeName::ApproximateReceiveCount), "1");
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, "1");
    sqs.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, "0");
    endpoint.stop().await;
}

#[tokio::test]
async fn a_long_poll_is_woken_by_the_message() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { receive(&sqs, &url, 20).await })
    };
    // Some round trips, so that the poll is there first; whichever comes first, it must end long before its wait is over.
    for _ in 0..20 {
        sqs.list_queues().send().await.unwrap();
    }
    send(&sqs, &url, "wake up").await;
    let messages = timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(messages.len(), 1);
    endpoint.stop().await;
}

#[tokio::test]
async fn what_is_not_deleted_comes_again_and_then_goes_to_the_dead_letters() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let dead = queue(&sqs, "dead").await;
    let arn = attribute(&sqs, &dead, QueueAttributeName::QueueArn).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"2"}}"#);
    let create = sqs.create_queue().queue_name("tasks").attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = create.attributes(QueueAttributeName::VisibilityTimeout, "1").send().await.unwrap().queue_url.unwrap();
    send(&sqs, &url, "poison").await;
    for count in ["1", "2"] {
        // The second receive waits for the end of the visibility timeout.
        let messages = receive(&sqs, &url, 10).await;
        assert_eq!(system(&messages[0], &MessageSystemAttributeName::ApproximateReceiveCount), count);
    }
    assert!(receive(&sqs, &url, 2).await.is_empty());
    let messages = receive(&sqs, &dead, 0).await;
    assert_eq!(messages[0].body(), Some("poison"));
    assert!(system(&messages[0], &MessageSystemAttributeName::DeadLetterQueueSourceArn).ends_with(":tasks"));
    endpoint.stop().await;
}

#[tokio::test]
async fn errors_have_the_types_that_the_sdk_knows() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = format!("{}/000000000000/missing", endpoint.url());
    let error = sqs.send_message().queue_url(url).message_body("x").send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    let error = sqs.create_queue().queue_name("a.fifo").send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"), "{error:?}");
    queue(&sqs, "tasks").await;
    queue(&sqs, "tasks").await;
    let other = sqs.create_queue().queue_name("tasks").attributes(QueueAttributeName::DelaySeconds, "5");
    let error = other.send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_name_exists(), "{error:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn a_batch_fails_entry_by_entry() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    let entry =
        |id: &str, body: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let batch = sqs.send_message_batch().queue_url(&url).entries(entry("good", "x")).entries(entry("bad", "\u{b}"));
    let output = batch.send().await.unwrap();
    assert_eq!(output.successful()[0].id(), "good");
    assert_eq!((output.failed()[0].id(), output.failed()[0].code()), ("bad", "InvalidMessageContents"));
    assert_eq!(receive(&sqs, &url, 0).await.len(), 1);
    let twice = sqs.send_message_batch().queue_url(&url).entries(entry("a", "x")).entries(entry("a", "y"));
    let error = twice.send().await.unwrap_err().into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct(), "{error:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let (directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    send(&sqs, &url, "kept").await;
    send(&sqs, &url, "deleted").await;
    for message in receive(&sqs, &url, 0).await {
        let handle = message.receipt_handle().unwrap();
        if message.body() == Some("deleted") {
            sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
        } else {
            let change = sqs.change_message_visibility().queue_url(&url).receipt_handle(handle);
            change.visibility_timeout(0).send().await.unwrap();
        }
    }
    endpoint.drop_it().await;
    let endpoint = Running::start(directory.path()).await;
    let sqs = endpoint.sqs().await;
    let url = sqs.get_queue_url().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    let messages = receive(&sqs, &url, 0).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message.body(), Some("kept"));
    assert_eq!(system(message, &MessageSystemAttributeName::ApproximateReceiveCount), "2");
    endpoint.stop().await;
}

#[tokio::test]
async fn a_receive_whose_client_leaves_takes_nothing_along() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    for _ in 0..20 {
        let leaving = {
            let (sqs, url) = (sqs.clone(), url.clone());
            tokio::spawn(async move { receive(&sqs, &url, 20).await })
        };
        for _ in 0..3 {
            sqs.list_queues().send().await.unwrap();
        }
        leaving.abort();
        assert!(leaving.await.unwrap_err().is_cancelled());
    }
    send(&sqs, &url, "for the one who stays").await;
    // Long before any visibility timeout is over.
    let messages = receive(&sqs, &url, 5).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(system(&messages[0], &MessageSystemAttributeName::ApproximateReceiveCount), "1");
    endpoint.stop().await;
}

#[tokio::test]
async fn visibility_is_extended_and_given_up() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    send(&sqs, &url, "x").await;
    let change = |handle: &str, seconds: i32| {
        sqs.change_message_visibility().queue_url(&url).receipt_handle(handle).visibility_timeout(seconds).send()
    };
    let first = receive(&sqs, &url, 0).await.remove(0).receipt_handle.unwrap();
    change(&first, 600).await.unwrap();
    assert!(receive(&sqs, &url, 0).await.is_empty());
    change(&first, 0).await.unwrap();
    let second = receive(&sqs, &url, 0).await.remove(0).receipt_handle.unwrap();
    // The older handle does as well as the last.
    change(&first, 0).await.unwrap();
    assert_eq!(receive(&sqs, &url, 0).await.len(), 1);
    for handle in [&second, &first] {
        sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    }
    let gone = change(&second, 0).await.unwrap_err().into_service_error();
    assert_eq!(gone.meta().code(), Some("InvalidParameterValue"));
    let invalid = sqs.delete_message().queue_url(&url).receipt_handle("nonsense").send().await.unwrap_err();
    assert!(invalid.into_service_error().is_receipt_handle_is_invalid());
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessages).await, "0");
    endpoint.stop().await;
}

#[tokio::test]
async fn delayed_messages_and_stopping_polls() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    sqs.send_message().queue_url(&url).message_body("later").delay_seconds(1).send().await.unwrap();
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessagesDelayed).await, "1");
    assert!(receive(&sqs, &url, 0).await.is_empty());
    assert_eq!(receive(&sqs, &url, 20).await[0].body(), Some("later"));
    // The endpoint stops in far less than the wait, and the poll has an answer.
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { receive(&sqs, &url, 20).await })
    };
    for _ in 0..20 {
        sqs.list_queues().send().await.unwrap();
    }
    timeout(Duration::from_secs(5), endpoint.stop()).await.unwrap();
    assert!(waiting.await.unwrap().is_empty());
}

#[tokio::test]
async fn dead_letters_go_back_where_they_came_from() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let dead = queue(&sqs, "dead").await;
    let arn = attribute(&sqs, &dead, QueueAttributeName::QueueArn).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    let create = sqs.create_queue().queue_name("tasks").attributes(QueueAttributeName::RedrivePolicy, policy);
    let url = create.attributes(QueueAttributeName::VisibilityTimeout, "0").send().await.unwrap().queue_url.unwrap();
    for number in 0..5 {
        send(&sqs, &url, &number.to_string()).await;
    }
    assert_eq!(receive(&sqs, &url, 0).await.len(), 5);
    assert!(receive(&sqs, &url, 0).await.is_empty());
    let sources = sqs.list_dead_letter_source_queues().queue_url(&dead).send().await.unwrap();
    assert_eq!(sources.queue_urls(), std::slice::from_ref(&url));
    assert_eq!(attribute(&sqs, &dead, QueueAttributeName::ApproximateNumberOfMessages).await, "5");
    sqs.start_message_move_task().source_arn(&arn).send().await.unwrap();
    let done = async {
        loop {
            let tasks = sqs.list_message_move_tasks().source_arn(&arn).send().await.unwrap();
            if tasks.results()[0].status() == Some("COMPLETED") {
                return tasks.results()[0].approximate_number_of_messages_moved();
            }
        }
    };
    assert_eq!(timeout(DEADLINE, done).await.unwrap(), 5);
    let messages = receive(&sqs, &url, 0).await;
    assert_eq!(messages.len(), 5);
    assert_eq!(system(&messages[0], &MessageSystemAttributeName::ApproximateReceiveCount), "1");
    let refused = sqs.start_message_move_task().source_arn("arn:aws:sqs:us-east-1:000000000000:missing").send().await;
    assert!(refused.unwrap_err().into_service_error().is_resource_not_found_exception());
    endpoint.stop().await;
}

#[tokio::test]
async fn queues_are_listed_tagged_changed_purged_and_deleted() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    for name in ["a-1", "a-2", "a-3", "b"] {
        queue(&sqs, name).await;
    }
    let first = sqs.list_queues().queue_name_prefix("a-").max_results(2).send().await.unwrap();
    assert_eq!(first.queue_urls().len(), 2);
    let rest = sqs.list_queues().queue_name_prefix("a-").max_results(2).next_token(first.next_token().unwrap());
    assert_eq!(rest.send().await.unwrap().queue_urls().len(), 1);

    let url = queue(&sqs, "b").await;
    sqs.tag_queue().queue_url(&url).tags("env", "dev").tags("x", "y").send().await.unwrap();
    // A bare name is as good as the URL.
    sqs.untag_queue().queue_url("b").tag_keys("x").send().await.unwrap();
    let tags = sqs.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("env".to_owned(), "dev".to_owned())]);

    let set = sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::VisibilityTimeout, "77");
    set.send().await.unwrap();
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::VisibilityTimeout).await, "77");
    let bad = sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::DelaySeconds, "901");
    assert_eq!(bad.send().await.unwrap_err().code(), Some("InvalidAttributeValue"));
    let permit = sqs.add_permission().queue_url(&url).label("l").aws_account_ids("111122223333").actions("SendMessage");
    permit.send().await.unwrap();
    assert!(attribute(&sqs, &url, QueueAttributeName::Policy).await.contains("SQS:SendMessage"));
    sqs.remove_permission().queue_url(&url).label("l").send().await.unwrap();
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::Policy).await, "");

    send(&sqs, &url, "x").await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(receive(&sqs, &url, 0).await.is_empty());
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let gone = sqs.get_queue_url().queue_name("b").send().await.unwrap_err().into_service_error();
    assert!(gone.is_queue_does_not_exist());
    endpoint.stop().await;
}

#[tokio::test]
async fn sizes_are_limited() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = queue(&sqs, "tasks").await;
    let whole = "x".repeat(1_048_576);
    send(&sqs, &url, &whole).await;
    assert_eq!(receive(&sqs, &url, 0).await[0].body(), Some(whole.as_str()));
    let larger = sqs.send_message().queue_url(&url).message_body(format!("{whole}x")).send().await.unwrap_err();
    assert_eq!(larger.code(), Some("InvalidParameterValue"));
    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(&whole).build().unwrap();
    let batch = sqs.send_message_batch().queue_url(&url).entries(entry("a")).entries(entry("b"));
    assert!(batch.send().await.unwrap_err().into_service_error().is_batch_request_too_long());
    endpoint.stop().await;
}
