//! Messages.

use std::{sync::Arc, time::Instant};

use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry},
};
use tokio::task::JoinSet;

use crate::{Failure, Setting, repeat};

const BODY: &str = "{\"version\":1,\"image\":\"0b9e4a5c7d2f\",\"key\":\"originals/0b9e4a5c7d2f\",\"uploaded_at\":\"2026-01-01T00:00:00Z\"}";
const BATCH: u64 = 10;

async fn queue(setting: &Setting, name: &str) -> Result<(Client, Arc<str>), Failure> {
    let client = Client::new(&setting.sdk);
    let made = client.create_queue().queue_name(name).send().await?;
    Ok((client, made.queue_url.ok_or("no queue")?.into()))
}

/// Sends one message, receives one, and deletes it.
pub(crate) async fn roundtrip(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let (client, url) = queue(setting, "roundtrip").await?;
    repeat(setting, 1, move |_| {
        let (client, url) = (client.clone(), Arc::clone(&url));
        async move {
            client.send_message().queue_url(&*url).message_body(BODY).send().await?;
            let received = client.receive_message().queue_url(&*url).wait_time_seconds(20).send().await?;
            let message = received.messages().first().ok_or("nothing was received")?;
            let handle = message.receipt_handle().ok_or("no handle")?;
            client.delete_message().queue_url(&*url).receipt_handle(handle).send().await?;
            Ok(())
        }
    })
    .await
}

async fn send_batch(client: &Client, url: &str) -> Result<(), Failure> {
    let entry = |id: u64| SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(BODY).build();
    let entries = (0..BATCH).map(entry).collect::<Result<Vec<_>, _>>()?;
    let sent = client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
    if sent.failed().is_empty() { Ok(()) } else { Err("a batch was not taken whole".into()) }
}

/// Sends ten, receives ten, and deletes them.
pub(crate) async fn batches(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let (client, url) = queue(setting, "batches").await?;
    repeat(setting, BATCH, move |_| {
        let (client, url) = (client.clone(), Arc::clone(&url));
        async move {
            send_batch(&client, &url).await?;
            let receive = client.receive_message().queue_url(&*url).max_number_of_messages(10).wait_time_seconds(20);
            let received = receive.send().await?;
            let entries = received.messages().iter().zip(0..).map(|(message, id)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
                entry.set_receipt_handle(message.receipt_handle.clone()).build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            client.delete_message_batch().queue_url(&*url).set_entries(Some(entries)).send().await?;
            Ok(())
        }
    })
    .await
}

/// Sends an amount of messages into a queue that keeps them.
pub(crate) async fn fill(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let (client, url) = queue(setting, "full").await?;
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    let batches = setting.amount / BATCH / setting.concurrency as u64;
    for _ in 0..setting.concurrency {
        let (client, url) = (client.clone(), Arc::clone(&url));
        connections.spawn(async move {
            for _ in 0..batches {
                send_batch(&client, &url).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(serde_json::json!({"seconds": begun.elapsed().as_secs_f64()}))
}

/// Receives from the queue that was filled, and leaves every message where it is: none is hidden.
pub(crate) async fn receive(setting: &Setting) -> Result<serde_json::Value, Failure> {
    let (client, url) = queue(setting, "full").await?;
    repeat(setting, 1, move |_| {
        let (client, url) = (client.clone(), Arc::clone(&url));
        async move {
            let received = client.receive_message().queue_url(&*url).visibility_timeout(0).send().await?;
            received.messages().first().ok_or("nothing was received")?;
            Ok(())
        }
    })
    .await
}
