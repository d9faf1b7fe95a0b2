//! Queues that keep an order, by the official SDK.

use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata,
    types::{Message, MessageSystemAttributeName as System, QueueAttributeName, SendMessageBatchRequestEntry},
};
use tokio::time::timeout;

use crate::support::{DEADLINE, fresh};

async fn fifo(sqs: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let mut create = sqs.create_queue().queue_name(name).attributes(QueueAttributeName::FifoQueue, "true");
    for (name, value) in attributes {
        create = create.attributes(name.clone(), *value);
    }
    create.send().await.unwrap().queue_url.unwrap()
}

/// Sends a message whose body is also its deduplication id.
async fn send(sqs: &Client, url: &str, group: &str, body: &str) -> (String, String) {
    let send = sqs.send_message().queue_url(url).message_body(body).message_group_id(group);
    let sent = send.message_deduplication_id(body).send().await.unwrap();
    (sent.message_id.unwrap(), sent.sequence_number.unwrap())
}

async fn receive(sqs: &Client, url: &str, max: i32, wait: i32) -> Vec<Message> {
    let receive = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .wait_time_seconds(wait)
        .message_system_attribute_names(System::All);
    timeout(DEADLINE, receive.send()).await.unwrap().unwrap().messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

async fn delete(sqs: &Client, url: &str, message: &Message) {
    sqs.delete_message().queue_url(url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn a_group_keeps_its_order_and_holds_up_nobody_else() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = fifo(&sqs, "q.fifo", &[]).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        send(&sqs, &url, group, body).await;
    }
    let first = receive(&sqs, &url, 2, 0).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    // The third of the group waits for the first two, and the other group does not.
    assert_eq!(bodies(&receive(&sqs, &url, 10, 0).await), ["b1"]);
    delete(&sqs, &url, &first[0]).await;
    assert!(receive(&sqs, &url, 10, 0).await.is_empty());
    // Whoever waits is woken when the group is free again.
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { receive(&sqs, &url, 10, 20).await })
    };
    delete(&sqs, &url, &first[1]).await;
    assert_eq!(bodies(&timeout(DEADLINE, waiting).await.unwrap().unwrap()), ["a3"]);
    endpoint.stop().await;
}

#[tokio::test]
async fn a_message_given_up_comes_again_before_the_rest() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = fifo(&sqs, "q.fifo", &[]).await;
    for body in ["1", "2", "3"] {
        send(&sqs, &url, "g", body).await;
    }
    let taken = receive(&sqs, &url, 2, 0).await;
    let give_up = |message: &Message| {
        let change = sqs.change_message_visibility().queue_url(&url).visibility_timeout(0);
        change.receipt_handle(message.receipt_handle().unwrap()).send()
    };
    // The first comes again, and the third waits for the second.
    give_up(&taken[0]).await.unwrap();
    let again = receive(&sqs, &url, 10, 0).await;
    assert_eq!(bodies(&again), ["1"]);
    give_up(&taken[1]).await.unwrap();
    // The first is still with somebody.
    assert!(receive(&sqs, &url, 10, 0).await.is_empty());
    give_up(&again[0]).await.unwrap();
    assert_eq!(bodies(&receive(&sqs, &url, 10, 0).await), ["1", "2", "3"]);
    // The handle of the first receive is over, which a queue that keeps an order says.
    let late = sqs.delete_message().queue_url(&url).receipt_handle(taken[0].receipt_handle().unwrap()).send().await;
    let late = late.unwrap_err().into_service_error();
    assert_eq!(late.code(), Some("InvalidParameterValue"));
    assert!(late.message().unwrap().ends_with("Reason: The receipt handle has expired."), "{late:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = fifo(&sqs, "q.fifo", &[]).await;
    let first = send(&sqs, &url, "a", "x").await;
    assert_eq!(send(&sqs, &url, "b", "x").await, first);
    let other = send(&sqs, &url, "a", "y").await;
    assert!(other.1 > first.1 && other.1.len() == 20, "{other:?}");
    let messages = receive(&sqs, &url, 10, 0).await;
    assert_eq!(bodies(&messages), ["x", "y"]);
    let attributes = messages[0].attributes().unwrap();
    assert_eq!(attributes[&System::MessageGroupId], "a");
    assert_eq!(attributes[&System::MessageDeduplicationId], "x");
    assert_eq!(attributes[&System::SequenceNumber], first.1);
    for message in &messages {
        delete(&sqs, &url, message).await;
    }
    // Deleted or not, it was sent.
    assert_eq!(send(&sqs, &url, "a", "x").await, first);
    assert!(receive(&sqs, &url, 10, 0).await.is_empty());
    // A purge forgets.
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert_ne!(send(&sqs, &url, "a", "x").await, first);
    assert_eq!(bodies(&receive(&sqs, &url, 10, 0).await), ["x"]);
    endpoint.stop().await;
}

#[tokio::test]
async fn content_and_group_can_make_the_difference() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let content = fifo(&sqs, "content.fifo", &[(QueueAttributeName::ContentBasedDeduplication, "true")]).await;
    for body in ["x", "x", "y"] {
        sqs.send_message().queue_url(&content).message_body(body).message_group_id("g").send().await.unwrap();
    }
    assert_eq!(bodies(&receive(&sqs, &content, 10, 0).await), ["x", "y"]);
    let scoped = [
        (QueueAttributeName::DeduplicationScope, "messageGroup"),
        (QueueAttributeName::FifoThroughputLimit, "perMessageGroupId"),
    ];
    let scoped = fifo(&sqs, "scoped.fifo", &scoped).await;
    for group in ["a", "b", "a"] {
        send(&sqs, &scoped, group, "x").await;
    }
    assert_eq!(bodies(&receive(&sqs, &scoped, 10, 0).await), ["x", "x"]);
    endpoint.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_the_type_of_queue_is_refused() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let ordered = fifo(&sqs, "q.fifo", &[]).await;
    let plain = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    let send = |url: &str| sqs.send_message().queue_url(url).message_body("x");
    let code = |error: &dyn ProvideErrorMetadata| error.code().unwrap_or_default().to_owned();
    let no_group = send(&ordered).message_deduplication_id("d").send().await.unwrap_err();
    assert_eq!(code(&no_group), "MissingParameter");
    let no_id = send(&ordered).message_group_id("g").send().await.unwrap_err();
    assert!(no_id.message().unwrap().starts_with("The queue should either have ContentBasedDeduplication"));
    let delayed = send(&ordered).message_group_id("g").message_deduplication_id("d").delay_seconds(2).send().await;
    assert_eq!(code(&delayed.unwrap_err()), "InvalidParameterValue");
    let id = send(&plain).message_deduplication_id("d").send().await.unwrap_err();
    assert_eq!(code(&id), "InvalidParameterValue");
    let blank = send(&ordered).message_group_id("a b").message_deduplication_id("d").send().await.unwrap_err();
    assert!(blank.message().unwrap().contains("alphanumeric and punctuation"));
    let entry = SendMessageBatchRequestEntry::builder().id("a").message_body("x").message_deduplication_id("d");
    let batch = sqs.send_message_batch().queue_url(&ordered).entries(entry.build().unwrap()).send().await.unwrap_err();
    assert_eq!(code(&batch), "InvalidParameterValue");
    let create = |name: &str| sqs.create_queue().queue_name(name);
    assert_eq!(code(&create("x.fifo").send().await.unwrap_err()), "InvalidParameterValue");
    let unnamed = create("x").attributes(QueueAttributeName::FifoQueue, "true").send().await.unwrap_err();
    assert!(unnamed.message().unwrap().contains("must end with .fifo suffix"));
    let set = sqs.set_queue_attributes().queue_url(&plain);
    let set = set.attributes(QueueAttributeName::ContentBasedDeduplication, "true").send().await.unwrap_err();
    assert_eq!(code(&set), "InvalidAttributeName");
    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    let set = sqs.set_queue_attributes().queue_url(&ordered).attributes(QueueAttributeName::RedrivePolicy, policy);
    assert_eq!(code(&set.send().await.unwrap_err()), "InvalidParameterValue");
    let described = sqs.get_queue_attributes().queue_url(&ordered).attribute_names(QueueAttributeName::All);
    let described = described.send().await.unwrap().attributes.unwrap();
    assert_eq!(described[&QueueAttributeName::FifoQueue], "true");
    assert_eq!(described[&QueueAttributeName::DeduplicationScope], "queue");
    endpoint.stop().await;
}

#[tokio::test]
async fn dead_letters_keep_the_order_and_come_back_in_it() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let dead = fifo(&sqs, "dead.fifo", &[]).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead.fifo";
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    let attributes =
        [(QueueAttributeName::RedrivePolicy, policy.as_str()), (QueueAttributeName::VisibilityTimeout, "0")];
    let url = fifo(&sqs, "q.fifo", &attributes).await;
    for body in ["1", "2", "3"] {
        send(&sqs, &url, "g", body).await;
    }
    assert_eq!(receive(&sqs, &url, 10, 0).await.len(), 3);
    assert!(receive(&sqs, &url, 10, 0).await.is_empty());
    sqs.start_message_move_task().source_arn(arn).send().await.unwrap();
    let mut back = Vec::new();
    while back.len() < 3 {
        let messages = receive(&sqs, &url, 10, 20).await;
        for message in &messages {
            assert_eq!(message.attributes().unwrap()[&System::ApproximateReceiveCount], "1");
        }
        back.extend(messages.into_iter().filter_map(|message| message.body));
    }
    assert_eq!(back, ["1", "2", "3"]);
    assert!(receive(&sqs, &dead, 10, 0).await.is_empty());
    endpoint.stop().await;
}

#[tokio::test]
async fn a_receive_that_is_tried_again_gets_the_same_messages() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = fifo(&sqs, "q.fifo", &[]).await;
    for body in ["1", "2"] {
        send(&sqs, &url, "g", body).await;
    }
    let attempt = async |id: &str| {
        let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10).receive_request_attempt_id(id);
        let receive = receive.message_system_attribute_names(System::ApproximateReceiveCount);
        receive.send().await.map(|received| received.messages.unwrap_or_default())
    };
    let first = attempt("a").await.unwrap();
    assert_eq!(bodies(&first), ["1", "2"]);
    // As they were: the same handles, and no receive more.
    assert_eq!(attempt("a").await.unwrap(), first);
    assert!(attempt("b").await.unwrap().is_empty());
    // Something was done with them, so that the answer must have arrived.
    delete(&sqs, &url, &first[0]).await;
    assert!(attempt("a").await.unwrap().is_empty());
    assert_eq!(attempt("no spaces").await.unwrap_err().code(), Some("InvalidParameterValue"));
    endpoint.stop().await;
}
