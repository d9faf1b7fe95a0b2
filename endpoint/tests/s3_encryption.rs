//! What objects are said to be encrypted with, and keys of customers, by the official SDK.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::support::fresh;

const BUCKET: &str = "encryption";

#[tokio::test]
async fn a_customers_key_opens_what_it_closed() {
    // The MD5 of 32 zeros, and of 32 ones.
    const KEYS: [(u8, &str); 2] = [(b'0', "zZ5FnqcIqUjVwvWmyog4zw=="), (b'1', "GoDL8oWeAZVZNl1r5Hh5Tg==")];
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let key = |index: usize| (BASE64_STANDARD.encode([KEYS[index].0; 32]), KEYS[index].1);
    let (secret, md5) = key(0);
    let body = ByteStream::from_static(b"content");
    let put = s3.put_object().bucket(BUCKET).key("k").body(body).sse_customer_algorithm("AES256");
    let stored = put.sse_customer_key(&secret).sse_customer_key_md5(md5).send().await.unwrap();
    assert_eq!((stored.sse_customer_key_md5(), stored.server_side_encryption()), (Some(md5), None));
    let get = || s3.get_object().bucket(BUCKET).key("k");
    assert_eq!(get().send().await.unwrap_err().code(), Some("InvalidRequest"));
    let opened =
        get().sse_customer_algorithm("AES256").sse_customer_key(&secret).sse_customer_key_md5(md5).send().await;
    assert_eq!(opened.unwrap().body.collect().await.unwrap().to_vec(), b"content");
    let (other, other_md5) = key(1);
    let wrong = get().sse_customer_algorithm("AES256").sse_customer_key(other).sse_customer_key_md5(other_md5);
    let wrong = wrong.send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("AccessDenied"));
    let copy = || s3.copy_object().bucket(BUCKET).key("open").copy_source(format!("{BUCKET}/k"));
    assert_eq!(copy().send().await.unwrap_err().code(), Some("InvalidRequest"));
    let copy = copy().copy_source_sse_customer_algorithm("AES256").copy_source_sse_customer_key(&secret);
    copy.copy_source_sse_customer_key_md5(md5).send().await.unwrap();
    s3.get_object().bucket(BUCKET).key("open").send().await.unwrap();
    endpoint.stop().await;
}

#[tokio::test]
async fn objects_get_the_encryption_of_their_bucket() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let default = default.kms_master_key_id("key").build().unwrap();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default);
    let rule = rule.bucket_key_enabled(true).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    let set = s3.put_bucket_encryption().bucket(BUCKET).server_side_encryption_configuration(encryption);
    set.send().await.unwrap();
    let put = || s3.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"x"));
    let inherited = put().send().await.unwrap();
    assert!(inherited.ssekms_key_id().unwrap().ends_with(":key/key"), "{inherited:?}");
    assert_eq!(inherited.bucket_key_enabled(), Some(true));
    let own = put().server_side_encryption(ServerSideEncryption::Aes256).send().await.unwrap();
    assert_eq!((own.server_side_encryption(), own.ssekms_key_id()), (Some(&ServerSideEncryption::Aes256), None));
    endpoint.stop().await;
}
