//! What is not an SDK's business: the query protocol of SQS, hosts, signatures, and the endpoint's own pages.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use decouple_endpoint::Endpoint;
use reqwest::{Client, RequestBuilder, Response, header::HOST};
use serde_json::Value;

use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::support::{ACCESS_KEY, DEADLINE, REGION, Running, SECRET_KEY, config, fresh};

const FORM: &str = "application/x-www-form-urlencoded";

/// A form, signed as old SDKs sign it.
fn signed(endpoint: &Running, service: &str, form: &str, secret: &str) -> RequestBuilder {
    signed_at(endpoint, service, ("POST", "/"), form, secret)
}

fn signed_at(
    endpoint: &Running,
    service: &str,
    (method, path): (&str, &str),
    form: &str,
    secret: &str,
) -> RequestBuilder {
    let url = format!("{}{path}", endpoint.url());
    let identity = Credentials::new(ACCESS_KEY, secret, None, None, "test").into();
    let params = v4::SigningParams::builder().identity(&identity).region(REGION).name(service).time(SystemTime::now());
    let params = params.settings(SigningSettings::default()).build().unwrap().into();
    let headers = [("content-type", FORM)];
    let request =
        SignableRequest::new(method, &url, headers.into_iter(), SignableBody::Bytes(form.as_bytes())).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let mut request = http::Request::post(&url).header("content-type", FORM).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    Client::new().request(method.parse().unwrap(), url).headers(request.headers().clone()).body(form.to_owned())
}

async fn answer(request: RequestBuilder) -> (u16, String) {
    let response: Response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// What is between a tag and its end.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}")) + name.len() + 2;
    &xml[start..start + xml[start..].find(&format!("</{name}>")).unwrap()]
}

#[tokio::test]
async fn queues_speak_the_query_protocol() {
    let (_directory, endpoint) = fresh().await;
    let call = async |form: &str| answer(signed(&endpoint, "sqs", form, SECRET_KEY)).await;
    let (status, xml) =
        call("Action=CreateQueue&QueueName=tasks&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=60").await;
    assert_eq!(status, 200, "{xml}");
    let url = element(&xml, "QueueUrl").to_owned();
    let send = format!(
        "Action=SendMessage&QueueUrl={url}&MessageBody=a%3Cb%26c&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String\
         &MessageAttribute.1.Value.StringValue=v"
    );
    let (_, xml) = answer(signed(&endpoint, "sqs", &send, SECRET_KEY).header("x-amzn-trace-id", "Root=1-2-3")).await;
    assert_eq!(element(&xml, "MD5OfMessageBody"), "d0e9c9e8090a8b98d2403db250b16d51");
    let receive = format!(
        "Action=ReceiveMessage&QueueUrl={url}&AttributeName.1=All&MessageAttributeName.1=All&MaxNumberOfMessages=5"
    );
    let (_, xml) = call(&receive).await;
    assert_eq!(element(&xml, "Body"), "a&lt;b&amp;c");
    assert!(xml.contains("<Name>ApproximateReceiveCount</Name><Value>1</Value>"), "{xml}");
    assert!(xml.contains("<Name>AWSTraceHeader</Name><Value>Root=1-2-3</Value>"), "{xml}");
    assert_eq!(element(&xml, "StringValue"), "v");
    let delete = format!(
        "Action=DeleteMessageBatch&QueueUrl={url}&DeleteMessageBatchRequestEntry.1.Id=x\
         &DeleteMessageBatchRequestEntry.1.ReceiptHandle={}&DeleteMessageBatchRequestEntry.2.Id=y\
         &DeleteMessageBatchRequestEntry.2.ReceiptHandle=bad",
        element(&xml, "ReceiptHandle")
    );
    let (_, xml) = call(&delete).await;
    assert_eq!(element(element(&xml, "DeleteMessageBatchResultEntry"), "Id"), "x");
    assert_eq!(element(element(&xml, "BatchResultErrorEntry"), "Code"), "ReceiptHandleIsInvalid");
    let (_, xml) = call(&format!("Action=GetQueueAttributes&QueueUrl={url}&AttributeName.1=VisibilityTimeout")).await;
    assert!(xml.contains("<Attribute><Name>VisibilityTimeout</Name><Value>60</Value></Attribute>"), "{xml}");
    let (status, xml) = call("Action=GetQueueUrl&QueueName=missing").await;
    assert_eq!((status, element(&xml, "Code")), (400, "AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(element(&xml, "Message"), "The specified queue does not exist for this wsdl version.");
    let (status, xml) = call("Action=Fly").await;
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidAction"));
    assert_eq!(element(&xml, "Message"), "The action Fly is not valid for this endpoint.");
    endpoint.stop().await;
}

#[tokio::test]
async fn a_queues_url_is_asked_by_itself() {
    let (_directory, endpoint) = fresh().await;
    answer(signed(&endpoint, "sqs", "Action=CreateQueue&QueueName=tasks", SECRET_KEY)).await;
    let get = async |query: &str| {
        let path = format!("/000000000000/tasks{query}");
        answer(signed_at(&endpoint, "sqs", ("GET", &path), "", SECRET_KEY)).await
    };
    let (status, xml) = get("?Action=ReceiveMessage").await;
    assert!(status == 200 && xml.contains("<ReceiveMessageResult/>"), "{xml}");
    let (_, xml) = get("?Action=SendMessage").await;
    assert_eq!(element(&xml, "Message"), "The request must contain the parameter MessageBody.");
    let (_, xml) = get("?Action=SendMessage&MessageBody=foo%20bar").await;
    assert!(xml.contains("<MD5OfMessageBody>"), "{xml}");
    assert_eq!(element(&get("?Action=ReceiveMessage").await.1, "Body"), "foo bar");
    // What is about all queues is not asked of one, but where another one is may be.
    for action in ["CreateQueue&QueueName=other", "ListQueues"] {
        let (status, xml) = get(&format!("?Action={action}")).await;
        assert_eq!((status, element(&xml, "Code")), (400, "InvalidAction"));
    }
    assert!(get("?Action=GetQueueUrl&QueueName=tasks").await.1.contains("/000000000000/tasks</QueueUrl>"));
    let (status, xml) = get("").await;
    assert!(status == 404 && xml.contains("<UnknownOperationException"), "{status} {xml}");
    endpoint.stop().await;
}

#[tokio::test]
async fn parameters_may_be_in_the_url_of_a_form() {
    let (_directory, endpoint) = fresh().await;
    let (status, xml) = answer(signed(&endpoint, "sns", "Action=CreateTopic&Name=t", SECRET_KEY)).await;
    assert_eq!(status, 200, "{xml}");
    let path = format!("/?Action=Publish&TopicArn={}", element(&xml, "TopicArn"));
    let (status, xml) = answer(signed_at(&endpoint, "sns", ("POST", &path), "Message=x", SECRET_KEY)).await;
    assert!(status == 200 && xml.contains("<MessageId>"), "{xml}");
    endpoint.stop().await;
}

#[tokio::test]
async fn signatures_keep_strangers_out() {
    let (_directory, endpoint) = fresh().await;
    let form = "Action=ListQueues";
    assert_eq!(answer(signed(&endpoint, "sqs", form, SECRET_KEY)).await.0, 200);
    let (status, xml) = answer(signed(&endpoint, "sqs", form, "another secret")).await;
    assert_eq!((status, element(&xml, "Code")), (403, "SignatureDoesNotMatch"));
    let tampered = signed(&endpoint, "sqs", form, SECRET_KEY).body("Action=CreateQueue&QueueName=x");
    assert_eq!(answer(tampered).await.0, 403);
    // What a page in a browser could send.
    let unsigned = Client::new().post(endpoint.url()).header("content-type", FORM).body(form);
    let (status, xml) = answer(unsigned).await;
    assert_eq!((status, element(&xml, "Code")), (403, "MissingAuthenticationToken"));
    let rebound = Client::new().get(format!("{}/_endpoint/queues", endpoint.url())).header(HOST, "evil.example");
    assert_eq!(answer(rebound).await.0, 403);
    endpoint.stop().await;
}

#[tokio::test]
async fn the_endpoint_tells_how_it_is() {
    let (_directory, endpoint) = fresh().await;
    let sqs = endpoint.sqs().await;
    let url = sqs.create_queue().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&url).message_body("now").send().await.unwrap();
    sqs.send_message().queue_url(&url).message_body("later").delay_seconds(900).send().await.unwrap();
    let page = async |path: &str| -> Value {
        let response = reqwest::get(format!("{}/_endpoint/{path}", endpoint.url())).await.unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    };
    assert_eq!(page("health").await["status"], "ok");
    let queues = page("queues").await;
    assert_eq!((&queues[0]["name"], &queues[0]["visible"]), (&"tasks".into(), &1.into()));
    assert_eq!((&queues[0]["in_flight"], &queues[0]["delayed"]), (&0.into(), &1.into()));
    assert!(queues[0]["oldest_seconds"].is_i64());
    endpoint.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_have_no_access_to_queues() {
    let (_directory, endpoint) = fresh().await;
    let form = "Action=CreateQueue&QueueName=tasks";
    let of_a_page = signed(&endpoint, "sqs", form, SECRET_KEY).header("sec-fetch-site", "cross-site");
    let (status, said) = answer(of_a_page).await;
    assert_eq!(status, 403, "{said}");
    let (status, said) = answer(signed(&endpoint, "sqs", form, SECRET_KEY).header("sec-fetch-site", "same-site")).await;
    assert_eq!(status, 200, "{said}");
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::open(config(directory.path())).await.unwrap().with_most_connections(3);
    let endpoint = Running::serve(endpoint).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(endpoint.address).await.unwrap());
    }
    let (status, said) = answer(signed(&endpoint, "sqs", "Action=ListQueues", SECRET_KEY)).await;
    assert_eq!(status, 200, "{said}");
    let read = tokio::time::timeout(DEADLINE, idle[0].read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap(), 0, "the connection that was idle longest is closed");
    endpoint.stop().await;
}

#[tokio::test]
async fn empty_lists_are_an_empty_text_in_forms() {
    let (_directory, endpoint) = fresh().await;
    let call = async |form: &str| answer(signed(&endpoint, "sns", form, SECRET_KEY)).await;
    let (status, xml) = call("Action=CreateTopic&Name=t&Tags=").await;
    assert_eq!(status, 200, "{xml}");
    let topic = element(&xml, "TopicArn").to_owned();
    for action in ["TagResource&Tags=", "UntagResource&TagKeys="] {
        let (status, xml) = call(&format!("Action={action}&ResourceArn={topic}")).await;
        assert_eq!(status, 200, "{xml}");
    }
    let (status, xml) = call(&format!("Action=PublishBatch&TopicArn={topic}&PublishBatchRequestEntries=")).await;
    assert_eq!((status, element(&xml, "Code")), (400, "EmptyBatchRequest"));
    endpoint.stop().await;
}

#[tokio::test]
async fn tags_that_the_services_refuse_are_refused() {
    let (_directory, endpoint) = fresh().await;
    let call = async |service: &str, form: &str| answer(signed(&endpoint, service, form, SECRET_KEY)).await;
    let reserved = "Key=aws:x";
    let (status, xml) = call("sqs", &format!("Action=CreateQueue&QueueName=q&Tag.1.{reserved}&Tag.1.Value=v")).await;
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidParameterValue"));
    let (status, xml) = call("sns", &format!("Action=CreateTopic&Name=t&Tags.member.1.{reserved}")).await;
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidParameter"));
    let long = "k".repeat(129);
    call("sqs", "Action=CreateQueue&QueueName=q").await;
    let path = format!("Action=TagQueue&QueueUrl={}/000000000000/q&Tag.1.Key={long}&Tag.1.Value=v", endpoint.url());
    let (status, xml) = call("sqs", &path).await;
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidParameterValue"));
    assert_eq!(element(&xml, "Message"), "Tag keys must be between 1 and 128 characters in length.");
    endpoint.stop().await;
}
