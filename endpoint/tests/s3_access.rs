//! Access control lists, and what they and policies let everybody do, without a signature.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{BucketCannedAcl, ObjectCannedAcl, Permission, PublicAccessBlockConfiguration},
};
use reqwest::Method;

use crate::support::{Running, fresh};

const BUCKET: &str = "access";

/// A bucket that takes access control lists.
async fn open_bucket(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3.delete_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
    s3.delete_public_access_block().bucket(BUCKET).send().await.unwrap();
    s3
}

async fn put(s3: &Client, key: &str, acl: Option<ObjectCannedAcl>) {
    let body = ByteStream::from_static(b"content");
    s3.put_object().bucket(BUCKET).key(key).set_acl(acl).body(body).send().await.unwrap();
}

/// The status of a request without a signature.
async fn anonymous(endpoint: &Running, method: Method, path: &str) -> u16 {
    let url = format!("{}/{BUCKET}{path}", endpoint.url());
    reqwest::Client::new().request(method, url).header("content-length", 0).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn lists_are_kept_where_the_bucket_takes_them() {
    let (_directory, endpoint) = fresh().await;
    let s3 = open_bucket(&endpoint).await;
    put(&s3, "k", Some(ObjectCannedAcl::PublicRead)).await;
    let acl = s3.get_object_acl().bucket(BUCKET).key("k").send().await.unwrap();
    let [own, public] = acl.grants() else { panic!("{acl:?}") };
    assert_eq!((own.permission(), public.permission()), (Some(&Permission::FullControl), Some(&Permission::Read)));
    assert!(public.grantee().unwrap().uri().unwrap().ends_with("/AllUsers"));
    let set = s3
        .put_object_acl()
        .bucket(BUCKET)
        .key("k")
        .grant_read_acp("uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\"");
    set.send().await.unwrap();
    let acl = s3.get_object_acl().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(acl.grants()[0].permission(), Some(&Permission::ReadAcp));

    s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::PublicReadWrite).send().await.unwrap();
    assert_eq!(s3.get_bucket_acl().bucket(BUCKET).send().await.unwrap().grants().len(), 3);
    for (refused, code) in [
        (s3.put_bucket_acl().bucket(BUCKET).acl("fake".into()), "InvalidArgument"),
        (s3.put_bucket_acl().bucket(BUCKET).grant_write("id=\"nobody\""), "InvalidArgument"),
        (s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::Private).grant_read("id=\"x\""), "InvalidRequest"),
        (s3.put_bucket_acl().bucket(BUCKET), "MissingSecurityHeader"),
    ] {
        assert_eq!(refused.send().await.unwrap_err().code(), Some(code));
    }
    let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
    s3.put_public_access_block().bucket(BUCKET).public_access_block_configuration(block).send().await.unwrap();
    let blocked = s3.put_object_acl().bucket(BUCKET).key("k").acl(ObjectCannedAcl::PublicRead).send().await;
    assert_eq!(blocked.unwrap_err().code(), Some("AccessDenied"));
    endpoint.stop().await;
}

#[tokio::test]
async fn everybody_may_do_what_a_list_says() {
    let (_directory, endpoint) = fresh().await;
    let s3 = open_bucket(&endpoint).await;
    put(&s3, "public", Some(ObjectCannedAcl::PublicRead)).await;
    put(&s3, "private", None).await;
    let get = async |path: &str| anonymous(&endpoint, Method::GET, path).await;
    assert_eq!((get("/public").await, get("/private").await, get("/none").await), (200, 403, 403));
    assert_eq!(anonymous(&endpoint, Method::HEAD, "/public").await, 200);
    assert_eq!((get("").await, anonymous(&endpoint, Method::PUT, "/new").await), (403, 403));
    s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::PublicReadWrite).send().await.unwrap();
    // Who may list the bucket is told that something is missing.
    assert_eq!((get("").await, get("/none").await, get("/private").await), (200, 404, 403));
    assert_eq!(anonymous(&endpoint, Method::PUT, "/new").await, 200);
    assert_eq!(get("?policy").await, 403);
    assert_eq!(anonymous(&endpoint, Method::DELETE, "").await, 403);

    let block = PublicAccessBlockConfiguration::builder().ignore_public_acls(true).build();
    s3.put_public_access_block().bucket(BUCKET).public_access_block_configuration(block).send().await.unwrap();
    assert_eq!((get("").await, get("/public").await), (403, 403));
    endpoint.stop().await;
}

#[tokio::test]
async fn everybody_may_do_what_a_policy_says() {
    let (_directory, endpoint) = fresh().await;
    let s3 = open_bucket(&endpoint).await;
    put(&s3, "in/k", None).await;
    put(&s3, "out/k", None).await;
    let policy = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/in/*"}}]}}"#
    );
    s3.put_bucket_policy().bucket(BUCKET).policy(policy).send().await.unwrap();
    let get = async |path: &str| anonymous(&endpoint, Method::GET, path).await;
    assert_eq!((get("/in/k").await, get("/out/k").await, get("").await), (200, 403, 403));
    let block = PublicAccessBlockConfiguration::builder().restrict_public_buckets(true).build();
    s3.put_public_access_block().bucket(BUCKET).public_access_block_configuration(block).send().await.unwrap();
    assert_eq!(get("/in/k").await, 403);
    endpoint.stop().await;
}

#[tokio::test]
async fn ranges_without_a_meaning_are_left_aside() {
    let (_directory, endpoint) = fresh().await;
    let s3 = open_bucket(&endpoint).await;
    put(&s3, "k", Some(ObjectCannedAcl::PublicRead)).await;
    for range in ["bytes=1-0", "bytes=0-1,3-4", "bytes=-", "0-1"] {
        let object = s3.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!((object.content_length(), object.content_range()), (Some(7), None), "{range}");
        let head = s3.head_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(head.content_length(), Some(7), "{range}");
        let unsigned = reqwest::Client::new().get(format!("{}/{BUCKET}/k", endpoint.url())).header("range", range);
        assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 200, "{range}");
    }
    let wrong = s3.get_object().bucket(BUCKET).key("none").range("bytes=1-0").send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("NoSuchKey"));
    endpoint.stop().await;
}
