//! Signatures of what SNS sends, checked as a subscriber checks them: with the certificate that the message names.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use x509_cert::{
    Certificate,
    der::{DecodePem, Encode},
};

use crate::support::{Running, fresh};

const NOTIFICATION: &[&str] = &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const CONFIRMATION: &[&str] = &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// Checks the signature of an envelope. Answers with the certificate.
pub(crate) async fn check(envelope: &Value) -> String {
    let field = |name: &str| envelope[name].as_str();
    let names = if field("Type") == Some("Notification") { NOTIFICATION } else { CONFIRMATION };
    let fields = names.iter().filter_map(|name| Some(format!("{name}\n{}\n", field(name)?)));
    let parameters = match field("SignatureVersion") {
        Some("1") => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        other => panic!("the version of the signature is {other:?}"),
    };
    let answer = reqwest::get(field("SigningCertURL").unwrap()).await.unwrap().error_for_status().unwrap();
    let pem = answer.text().await.unwrap();
    let certificate = Certificate::from_pem(&pem).unwrap();
    let signature = BASE64_STANDARD.decode(field("Signature").unwrap()).unwrap();
    assert!(verifies(parameters, &certificate, fields.collect::<String>().as_bytes(), &signature), "{envelope}");
    pem
}

fn verifies(parameters: &'static RsaParameters, by: &Certificate, text: &[u8], signature: &[u8]) -> bool {
    let key = by.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
    UnparsedPublicKey::new(parameters, key).verify(text, signature).is_ok()
}

/// Subscribes a new queue to a new topic, which signs in a version. Answers with the topic's ARN and the queue's URL.
async fn subscribed_queue(endpoint: &Running, version: &str, raw: &str) -> (String, String) {
    let (sns, sqs) = (endpoint.sns().await, endpoint.sqs().await);
    let name = format!("version-{version}");
    let topic = sns.create_topic().name(&name).attributes("SignatureVersion", version).send().await.unwrap();
    let topic = topic.topic_arn.unwrap();
    let url = sqs.create_queue().queue_name(&name).send().await.unwrap().queue_url.unwrap();
    let queue = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue);
    subscribe.attributes("RawMessageDelivery", raw).send().await.unwrap();
    (topic, url)
}

async fn received(endpoint: &Running, url: &str) -> Vec<Value> {
    let receive = endpoint.sqs().await.receive_message().queue_url(url).max_number_of_messages(10).send();
    let messages = receive.await.unwrap().messages.unwrap();
    messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn what_is_published_is_signed_in_the_topics_version() {
    let (directory, endpoint) = fresh().await;
    let sns = endpoint.sns().await;
    let mut certificates = Vec::new();
    for version in ["1", "2"] {
        let (topic, url) = subscribed_queue(&endpoint, version, "false").await;
        sns.publish().topic_arn(&topic).message("a\nb\u{fc}").send().await.unwrap();
        sns.publish().topic_arn(&topic).subject("s").message("c").send().await.unwrap();
        let structured = r#"{"default": "d", "sqs": "for queues"}"#;
        sns.publish().topic_arn(&topic).message_structure("json").message(structured).send().await.unwrap();
        let messages = received(&endpoint, &url).await;
        assert_eq!(messages.len(), 3);
        for message in messages {
            assert_eq!(message["SignatureVersion"], version);
            certificates.push(check(&message).await);
        }
    }
    endpoint.stop().await;

    // The key is that of the directory, and its certificate vouches for itself.
    let endpoint = Running::start(directory.path()).await;
    let (topic, url) = subscribed_queue(&endpoint, "1", "false").await;
    endpoint.sns().await.publish().topic_arn(&topic).message("x").send().await.unwrap();
    certificates.push(check(&received(&endpoint, &url).await[0]).await);
    certificates.dedup();
    assert_eq!(certificates.len(), 1);
    let certificate = Certificate::from_pem(&certificates[0]).unwrap();
    let signed = certificate.tbs_certificate().to_der().unwrap();
    assert!(verifies(&RSA_PKCS1_2048_8192_SHA256, &certificate, &signed, certificate.signature().raw_bytes()));
    let other = format!("{}/_endpoint/SimpleNotificationService-0.pem", endpoint.url());
    assert_eq!(reqwest::get(other).await.unwrap().status().as_u16(), 404);
    endpoint.stop().await;
}

#[tokio::test]
async fn nobody_needs_a_key_for_raw_messages() {
    let (directory, endpoint) = fresh().await;
    let (topic, url) = subscribed_queue(&endpoint, "1", "true").await;
    endpoint.sns().await.publish().topic_arn(&topic).message("{}").send().await.unwrap();
    assert_eq!(received(&endpoint, &url).await, [serde_json::json!({})]);
    endpoint.stop().await;
    let database = rusqlite::Connection::open(directory.path().join("endpoint.db")).unwrap();
    let keys: i64 = database.query_row("SELECT count(*) FROM signing_key", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 0);
}
