//! How requests for objects may look: addresses, conditions, limits, keys that XML cannot hold.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    Client,
    config::Builder,
    error::ProvideErrorMetadata,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{Delete, EncodingType, ObjectIdentifier, RestoreRequest, StorageClass, Tag, Tagging},
};

use crate::support::{ACCOUNT, Running, fresh, sdk_for};

const BUCKET: &str = "requests";

async fn with_bucket(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3
}

async fn put(s3: &Client, key: &str) {
    s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"content")).send().await.unwrap();
}

#[tokio::test]
async fn a_bucket_may_be_in_the_host() {
    let (_directory, endpoint) = fresh().await;
    with_bucket(&endpoint).await;
    let url = format!("http://localhost:{}", endpoint.address.port());
    let s3 = Client::from_conf(Builder::from(&sdk_for(&url).await).build());
    let host = format!("{BUCKET}.localhost");
    let http = reqwest::Client::builder().resolve(&host, endpoint.address).build().unwrap();
    let minute = || PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    for key in ["a b/é", "x//y", "dir/", "~"] {
        let upload = s3.put_object().bucket(BUCKET).key(key).presigned(minute()).await.unwrap();
        assert!(upload.uri().starts_with(&format!("http://{host}:")), "{}", upload.uri());
        let answer = http.put(upload.uri()).body(key.to_owned()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
        let download = s3.get_object().bucket(BUCKET).key(key).presigned(minute()).await.unwrap();
        assert_eq!(http.get(download.uri()).send().await.unwrap().text().await.unwrap(), key);
    }
    let named =
        s3.get_object().bucket(BUCKET).key("~").response_content_type("text/x").response_cache_control("no-cache");
    let named = http.get(named.presigned(minute()).await.unwrap().uri()).send().await.unwrap();
    assert_eq!(
        (&named.headers()["content-type"], &named.headers()["cache-control"]),
        (&"text/x".parse().unwrap(), &"no-cache".parse().unwrap())
    );
    let past = PresigningConfig::builder().start_time(SystemTime::now() - Duration::from_mins(2));
    let past = past.expires_in(Duration::from_mins(1)).build().unwrap();
    let expired = s3.get_object().bucket(BUCKET).key("~").presigned(past).await.unwrap();
    let answer = http.get(expired.uri()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    assert!(answer.text().await.unwrap().contains("<Code>AccessDenied</Code>"));
    endpoint.stop().await;
}

#[tokio::test]
async fn conditions_on_times_and_deletions() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    put(&s3, "k").await;
    let at = |offset: i64| aws_sdk_s3::primitives::DateTime::from_secs(jiff::Timestamp::now().as_second() + offset);
    let get = || s3.get_object().bucket(BUCKET).key("k");
    let head = || s3.head_object().bucket(BUCKET).key("k");
    assert!(get().if_modified_since(at(-60)).send().await.is_ok());
    assert!(head().if_modified_since(at(60)).send().await.is_ok(), "a time to come is no condition");
    let unmodified = head().if_modified_since(at(0)).send().await.unwrap_err();
    assert_eq!(unmodified.raw_response().unwrap().status().as_u16(), 304);
    assert_eq!(get().if_unmodified_since(at(-60)).send().await.unwrap_err().code(), Some("PreconditionFailed"));
    let failed = head().if_unmodified_since(at(-60)).send().await.unwrap_err();
    assert_eq!(failed.raw_response().unwrap().status().as_u16(), 412);
    let delete = || s3.delete_object().bucket(BUCKET).key("k");
    assert_eq!(delete().if_match("\"other\"").send().await.unwrap_err().code(), Some("PreconditionFailed"));
    let tag = head().send().await.unwrap().e_tag.unwrap();
    delete().if_match(tag).send().await.unwrap();
    assert!(head().send().await.is_err());
    endpoint.stop().await;
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let object = || s3.put_object().bucket(BUCKET).key("k");
    assert_eq!(object().metadata("m", "x".repeat(2048)).send().await.unwrap_err().code(), Some("MetadataTooLarge"));
    object().metadata("m", "x".repeat(2047)).send().await.unwrap();
    assert_eq!(object().tagging("a=1&a=2").send().await.unwrap_err().code(), Some("InvalidArgument"));
    let tags = |count| (0..count).map(|i| Tag::builder().key(format!("k{i}")).value("v").build().unwrap()).collect();
    let tag = |count| {
        let tagging = Tagging::builder().set_tag_set(Some(tags(count))).build().unwrap();
        s3.put_object_tagging().bucket(BUCKET).key("k").tagging(tagging).send()
    };
    assert_eq!(tag(11).await.unwrap_err().code(), Some("BadRequest"));
    tag(10).await.unwrap();
    assert_eq!(s3.get_object_tagging().bucket(BUCKET).key("k").send().await.unwrap().tag_set().len(), 10);
    let keys = (0..1001).map(|i| ObjectIdentifier::builder().key(i.to_string()).build().unwrap()).collect();
    let delete = Delete::builder().set_objects(Some(keys)).build().unwrap();
    let refused = s3.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("MalformedXML"));
    let other = s3.head_bucket().bucket(BUCKET).expected_bucket_owner("123456789012").send().await.unwrap_err();
    assert_eq!(other.raw_response().unwrap().status().as_u16(), 403);
    s3.head_bucket().bucket(BUCKET).expected_bucket_owner(ACCOUNT).send().await.unwrap();
    let customers_key = object().sse_customer_algorithm("AES256").sse_customer_key("a".repeat(44)).send().await;
    assert_eq!(customers_key.unwrap_err().code(), Some("InvalidArgument"));
    endpoint.stop().await;
}

#[tokio::test]
async fn keys_that_xml_cannot_hold_are_listed_encoded() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    for key in ["a\u{1}b/1", "a b+é/2", "c&<"] {
        put(&s3, key).await;
    }
    let list = || s3.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url);
    let all = list().send().await.unwrap();
    let keys: Vec<_> = all.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["a%01b/1", "a+b%2B%C3%A9/2", "c%26%3C"]);
    let top = list().delimiter("/").max_keys(2).send().await.unwrap();
    let prefixes: Vec<_> = top.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!(prefixes, ["a%01b/", "a+b%2B%C3%A9/"]);
    let rest = list().delimiter("/").set_continuation_token(top.next_continuation_token).send().await.unwrap();
    assert_eq!(rest.contents()[0].key(), Some("c%26%3C"));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_look_at_a_part_says_that_it_is_one() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    put(&s3, "key").await;
    let minute = || PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let head = || s3.head_object().bucket(BUCKET).key("key");
    for (look, status, range) in
        [(head(), 200, None), (head().part_number(1), 206, Some("bytes 0-6/7")), (head().part_number(2), 416, None)]
    {
        let request = look.presigned(minute()).await.unwrap();
        let answer = reqwest::Client::new().head(request.uri()).send().await.unwrap();
        let shown = answer.headers().get("content-range").map(|range| range.to_str().unwrap().to_owned());
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(shown.filter(|_| status != 416).as_deref(), range);
    }
}

#[tokio::test]
async fn what_is_archived_is_read_once_it_is_restored() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let body = ByteStream::from_static(b"cold");
    s3.put_object().bucket(BUCKET).key("k").storage_class(StorageClass::Glacier).body(body).send().await.unwrap();
    let get = || s3.get_object().bucket(BUCKET).key("k");
    assert_eq!(get().send().await.unwrap_err().code(), Some("InvalidObjectState"));
    let restore = |key: &str| {
        let request = RestoreRequest::builder().days(2).build();
        s3.restore_object().bucket(BUCKET).key(key).restore_request(request)
    };
    restore("k").send().await.unwrap();
    let restored = get().send().await.unwrap();
    assert!(restored.restore().unwrap().starts_with("ongoing-request=\"false\", expiry-date="), "{restored:?}");
    s3.put_object().bucket(BUCKET).key("warm").send().await.unwrap();
    assert_eq!(restore("warm").send().await.unwrap_err().code(), Some("InvalidObjectState"));
    endpoint.stop().await;
}
