//! Requests that are no longer what they were: every parser of the endpoint gets signed nonsense, and must answer it.
//!
//! `ENDPOINT_MANGLED_REQUESTS=200000` sends as many as that, and `ENDPOINT_MANGLED_SEED` sends the same again.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::{
    http_request::{PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Client;

use crate::support::{ACCESS_KEY, REGION, Running, SECRET_KEY, fresh};

const REQUESTS: &str = "ENDPOINT_MANGLED_REQUESTS";
const SEED: &str = "ENDPOINT_MANGLED_SEED";
/// Requests of an ordinary run.
const FEW: u64 = 2_000;

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A request that is right, to begin with.
#[derive(Clone, Copy)]
struct Request {
    service: &'static str,
    method: &'static str,
    path: &'static str,
    /// The operation of a JSON call.
    target: Option<&'static str>,
    body: &'static str,
}

const fn json(target: &'static str, body: &'static str) -> Request {
    Request { service: "sqs", method: "POST", path: "/", target: Some(target), body }
}

const fn form(service: &'static str, body: &'static str) -> Request {
    Request { service, method: "POST", path: "/", target: None, body }
}

const fn s3(method: &'static str, path: &'static str, body: &'static str) -> Request {
    Request { service: "s3", method, path, target: None, body }
}

const SEEDS: &[Request] = &[
    json(
        "AmazonSQS.CreateQueue",
        r#"{"QueueName":"q","Attributes":{"DelaySeconds":"0","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:q\",\"maxReceiveCount\":3}"},"tags":{"a":"b"}}"#,
    ),
    json(
        "AmazonSQS.SendMessage",
        r#"{"QueueUrl":"http://h/000000000000/q","MessageBody":"a\u0000\ud83d","DelaySeconds":1,"MessageAttributes":{"n":{"DataType":"Number","StringValue":"1e400"},"b":{"DataType":"Binary","BinaryValue":"AAE="}},"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1"}}}"#,
    ),
    json(
        "AmazonSQS.SendMessageBatch",
        r#"{"QueueUrl":"/000000000000/q","Entries":[{"Id":"1","MessageBody":"x"},{"Id":"2","MessageBody":"y","DelaySeconds":900}]}"#,
    ),
    json(
        "AmazonSQS.ReceiveMessage",
        r#"{"QueueUrl":"/000000000000/q","MaxNumberOfMessages":10,"VisibilityTimeout":0,"AttributeNames":["All"],"MessageAttributeNames":["a.*"]}"#,
    ),
    json(
        "AmazonSQS.DeleteMessage",
        r#"{"QueueUrl":"/000000000000/q","ReceiptHandle":"AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAD"}"#,
    ),
    json("AmazonSQS.ListQueues", r#"{"NextToken":"cQ","MaxResults":1,"QueueNamePrefix":"q"}"#),
    json(
        "AmazonSQS.StartMessageMoveTask",
        r#"{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:q","MaxNumberOfMessagesPerSecond":5}"#,
    ),
    form(
        "sqs",
        "Action=SendMessageBatch&QueueUrl=/000000000000/q&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=%F0%9F%98%80&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v",
    ),
    form(
        "sqs",
        "Action=SetQueueAttributes&QueueUrl=/000000000000/q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=43200",
    ),
    form(
        "sns",
        "Action=CreateTopic&Name=t&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=d&Tags.member.1.Key=k&Tags.member.1.Value=v",
    ),
    form(
        "sns",
        "Action=Subscribe&TopicArn=arn:aws:sns:us-east-1:000000000000:t&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:000000000000:q&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value={\"a\":[{\"numeric\":[\">\",0,\"<\",1e3]},{\"prefix\":\"x\"},{\"anything-but\":{\"suffix\":\"y\"}},{\"cidr\":\"10.0.0.0/8\"},{\"exists\":false}],\"$or\":[{\"b\":[null]},{\"c\":[{\"wildcard\":\"a*b*\"}]}]}",
    ),
    form(
        "sns",
        "Action=SetSubscriptionAttributes&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:t:x&AttributeName=DeliveryPolicy&AttributeValue={\"healthyRetryPolicy\":{\"numRetries\":3}}",
    ),
    form(
        "sns",
        "Action=Publish&TopicArn=arn:aws:sns:us-east-1:000000000000:t&MessageStructure=json&Message={\"default\":\"x\",\"sqs\":\"y\"}&Subject=s&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String.Array&MessageAttributes.entry.1.Value.StringValue=[\"x\",1,null]",
    ),
    s3(
        "PUT",
        "/bucket?cors",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
    ),
    s3(
        "PUT",
        "/bucket?lifecycle",
        "<LifecycleConfiguration><Rule><ID>a</ID><Filter><And><Prefix>x</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>",
    ),
    s3("PUT", "/bucket?tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"),
    s3("PUT", "/bucket?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    s3(
        "PUT",
        "/bucket?notification",
        "<NotificationConfiguration><QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
    ),
    s3("PUT", "/bucket?policy", "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\"}]}"),
    s3(
        "PUT",
        "/bucket?website",
        "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>",
    ),
    s3(
        "POST",
        "/bucket?delete",
        "<Delete><Object><Key>a&amp;b</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>",
    ),
    s3(
        "POST",
        "/bucket/key?uploadId=x",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag></Part></CompleteMultipartUpload>",
    ),
    s3("PUT", "/bucket/key", "content"),
    s3("GET", "/bucket?list-type=2&prefix=a&delimiter=%2F&max-keys=2&encoding-type=url", ""),
    s3("GET", "/bucket/key?versionId=null&partNumber=1", ""),
];

/// What parsers look for.
const WORDS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "</",
    "&",
    "%",
    "=",
    ".",
    "1",
    "-1",
    "99999999999999999999",
    "1e999",
    "NaN",
    "null",
    "true",
    "\\u0000",
    "\\ud800",
    "%00",
    "%FF",
    "member",
    "entry",
    "&#0;",
    "<![CDATA[",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "arn:aws:sqs:::",
    "$or",
    "..",
    "\u{feff}",
];

fn mangle(seed: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.random_range(0..5) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len());
        match random.random_range(0..6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, bytes[at..end].to_vec()).count()),
            2 => drop(bytes.splice(at..at, other[..random.random_range(0..=other.len())].to_vec()).count()),
            3 if at < bytes.len() => bytes[at] = random.random(),
            _ => drop(bytes.splice(at..at, WORDS.choose(random).unwrap_or(&"").bytes()).count()),
        }
    }
    bytes
}

/// A request with a signature that is right for what it has become.
fn signed(client: &Client, endpoint: &Running, request: Request, body: &[u8]) -> reqwest::RequestBuilder {
    let url = format!("{}{}", endpoint.url(), request.path);
    let mut settings = SigningSettings::default();
    if request.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = aws_sigv4::http_request::UriPathNormalizationMode::Disabled;
    }
    let identity = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test").into();
    let params = v4::SigningParams::builder().identity(&identity).region(REGION).name(request.service);
    let params = params.time(SystemTime::now()).settings(settings).build().unwrap().into();
    let mut headers = match (request.target, request.service) {
        (Some(target), _) => vec![JSON, ("x-amz-target", target)],
        (None, "s3") => vec![],
        (None, _) => vec![FORM],
    };
    let signable =
        SignableRequest::new(request.method, &url, headers.clone().into_iter(), SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut signed = http::Request::builder().method(request.method).uri(&url);
    for (name, value) in headers.drain(..) {
        signed = signed.header(name, value);
    }
    let mut signed = signed.body(()).unwrap();
    instructions.apply_to_request_http1x(&mut signed);
    let method = request.method.parse().unwrap();
    client.request(method, url).headers(signed.headers().clone()).body(body.to_vec())
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a failed run says how to repeat it, and a long one what came of it")]
async fn whatever_is_sent_is_answered() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (requests, seed) = (number(REQUESTS).unwrap_or(FEW), number(SEED).unwrap_or_else(rand::random));
    println!("{SEED}={seed}");
    let ((_directory, endpoint), client) = (fresh().await, Client::new());
    let made = signed(&client, &endpoint, s3("PUT", "/bucket", ""), b"").send().await.unwrap();
    assert_eq!(made.status().as_u16(), 200);
    let mut random = StdRng::seed_from_u64(seed);
    let (mut taken, mut refused) = (0, 0);
    for number in 0..requests {
        let (request, other) = (*SEEDS.choose(&mut random).unwrap(), SEEDS.choose(&mut random).unwrap());
        let body = mangle(request.body.as_bytes(), other.body.as_bytes(), &mut random);
        let answer = signed(&client, &endpoint, request, &body).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("request {number}: {error}: {}", shown(request, &body)));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        // What is not implemented may say so; nothing else is the endpoint's fault.
        assert!(status < 500 || status == 501, "request {number}: {status} {text}: {}", shown(request, &body));
        if status < 400 { taken += 1 } else { refused += 1 }
    }
    println!("{requests} requests: {taken} taken, {refused} refused");
    assert!(taken > 0 && refused > 0);
    let health = reqwest::get(format!("{}/_endpoint/health", endpoint.url())).await.unwrap();
    assert!(health.status().is_success());
}

fn shown(request: Request, body: &[u8]) -> String {
    format!("{} {} {:?}", request.method, request.path, String::from_utf8_lossy(body))
}
