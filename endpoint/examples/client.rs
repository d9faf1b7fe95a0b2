//! S3 and SQS by the AWS SDK, at the endpoint that the environment names.

use aws_sdk_s3::primitives::ByteStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = aws_config::load_from_env().await;
    let (s3, sqs) = (aws_sdk_s3::Client::new(&config), aws_sdk_sqs::Client::new(&config));

    s3.create_bucket().bucket("rust-photos").send().await?;
    let body = ByteStream::from_static(b"a cat");
    s3.put_object().bucket("rust-photos").key("cat.txt").body(body).send().await?;
    let object = s3.get_object().bucket("rust-photos").key("cat.txt").send().await?;
    assert_eq!(object.body.collect().await?.to_vec(), b"a cat");

    let queue = sqs.create_queue().queue_name("rust-tasks").send().await?.queue_url.ok_or("no queue")?;
    sqs.send_message().queue_url(&queue).message_body("resize cat.txt").send().await?;
    let received = sqs.receive_message().queue_url(&queue).wait_time_seconds(5).send().await?;
    for message in received.messages() {
        let handle = message.receipt_handle().unwrap_or_default();
        sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await?;
        assert_eq!(message.body(), Some("resize cat.txt"));
    }
    Ok(())
}
