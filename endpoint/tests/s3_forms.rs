//! Uploads by the forms of web pages, signed as a server would sign them for its pages.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use reqwest::{
    Response,
    multipart::{Form, Part},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, REGION, Running, SECRET_KEY, fresh};

const BUCKET: &str = "forms";

/// A form with a policy of `conditions`, signed by `secret`, that is good until `expires`.
fn form(conditions: &Value, fields: &[(&'static str, &str)], secret: &str, expires: SystemTime) -> Form {
    let expiration = Timestamp::try_from(expires).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let date = Timestamp::now().strftime("%Y%m%d").to_string();
    let credential = format!("{ACCESS_KEY}/{date}/{REGION}/s3/aws4_request");
    let algorithm = "AWS4-HMAC-SHA256";
    let signed = [("x-amz-algorithm", algorithm), ("x-amz-credential", credential.as_str()), ("x-amz-date", &date)];
    let mut all = conditions.as_array().unwrap().clone();
    all.extend(signed.iter().map(|(name, value)| json!({ *name: value })));
    let policy = json!({ "expiration": expiration, "conditions": all }).to_string();
    let policy = BASE64_STANDARD.encode(policy);
    let key = generate_signing_key(secret, SystemTime::now(), REGION, "s3");
    let signature = calculate_signature(key, policy.as_bytes());
    let form =
        fields.iter().chain(&signed).fold(Form::new(), |form, (name, value)| form.text(*name, (*value).to_owned()));
    form.text("policy", policy).text("x-amz-signature", signature)
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_mins(1)
}

async fn send(endpoint: &Running, form: Form, content: Vec<u8>) -> Response {
    let file = Part::bytes(content).file_name("C:\\photos\\cat.jpg");
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let url = format!("{}/{BUCKET}", endpoint.url());
    client.post(url).multipart(form.part("file", file)).send().await.unwrap()
}

#[tokio::test]
async fn a_signed_form_stores_its_file() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let conditions = json!([
        { "bucket": BUCKET },
        ["starts-with", "$key", "in/"],
        { "content-type": "image/jpeg" },
        { "x-amz-meta-from": "page" },
        { "success_action_status": "201" },
        ["content-length-range", 1, 10_000_000],
    ]);
    let fields = [
        ("key", "in/${filename}"),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-from", "page"),
        ("success_action_status", "201"),
    ];
    // More than what is kept in memory.
    let content = vec![7; 3_000_000];
    let answer = send(&endpoint, form(&conditions, &fields, SECRET_KEY, soon()), content.clone()).await;
    assert_eq!(answer.status().as_u16(), 201);
    let text = answer.text().await.unwrap();
    assert!(text.contains("<Key>in/cat.jpg</Key>"), "{text}");
    let object = s3.get_object().bucket(BUCKET).key("in/cat.jpg").send().await.unwrap();
    assert_eq!((object.content_type(), &object.metadata().unwrap()["from"]), (Some("image/jpeg"), &"page".to_owned()));
    assert!(object.body.collect().await.unwrap().to_vec() == content);

    let conditions = json!([{ "bucket": BUCKET }, { "key": "k" }, ["starts-with", "$success_action_redirect", ""]]);
    let fields = [("key", "k"), ("success_action_redirect", "http://localhost/done?a=1")];
    let answer = send(&endpoint, form(&conditions, &fields, SECRET_KEY, soon()), b"x".to_vec()).await;
    assert_eq!(answer.status().as_u16(), 303);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://localhost/done?a=1&bucket=forms&key=k&etag=%22"), "{location}");
    endpoint.stop().await;
}

#[tokio::test]
async fn what_a_policy_does_not_allow_is_refused() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let conditions = json!([{ "bucket": BUCKET }, { "key": "k" }, ["content-length-range", 2, 4]]);
    let key = [("key", "k")];
    let past = SystemTime::now() - Duration::from_mins(1);
    let signed = |fields: &[(&'static str, &str)]| form(&conditions, fields, SECRET_KEY, soon());
    for (form, content, status, code) in [
        (signed(&key), "12345", 400, "EntityTooLarge"),
        (signed(&key), "1", 400, "EntityTooSmall"),
        (signed(&[("key", "other")]), "123", 403, "AccessDenied"),
        (signed(&[("key", "k"), ("acl", "private")]), "123", 403, "Extra input fields: acl"),
        (signed(&[]), "123", 403, "AccessDenied"),
        (form(&conditions, &key, "another secret", soon()), "123", 403, "SignatureDoesNotMatch"),
        (form(&conditions, &key, SECRET_KEY, past), "123", 403, "Policy expired."),
        (Form::new().text("key", "k"), "123", 403, "AccessDenied"),
        (signed(&[("key", "k"), ("x-ignore-this", &"x".repeat(30_000))]), "123", 400, "MaxPostPreDataLengthExceeded"),
    ] {
        let answer = send(&endpoint, form, content.into()).await;
        let found = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(found == status && text.contains(code), "{code}: {found} {text}");
    }
    assert!(s3.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents().is_empty());
    endpoint.stop().await;
}
