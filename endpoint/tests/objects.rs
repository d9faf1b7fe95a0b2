//! S3 by the official SDK.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, EncodingType,
        ObjectIdentifier,
    },
};

use crate::support::{Running, fresh};

const BUCKET: &str = "photos";

async fn with_bucket(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3
}

async fn put(s3: &Client, key: &str, content: &[u8]) {
    s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(content.to_vec())).send().await.unwrap();
}

async fn get(s3: &Client, key: &str) -> Vec<u8> {
    let output = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    output.body.collect().await.unwrap().to_vec()
}

/// Content whose every place can be told from every other.
fn content(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8))
        .flat_map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(length)
        .collect()
}

#[tokio::test]
async fn an_object_comes_back_with_all_that_it_has() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let put = s3.put_object().bucket(BUCKET).key("originals/1").content_type("image/jpeg").cache_control("max-age=60");
    let put = put.metadata("camera", "x100").tagging("kind=photo").body(ByteStream::from_static(b"0123456789"));
    // The SDK sends a checksum after the body, which is verified here, and verifies the one it gets.
    let put = put.send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    assert_eq!(put.checksum_crc32(), Some("poTHxg=="));
    let object =
        s3.get_object().bucket(BUCKET).key("originals/1").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(object.content_type(), Some("image/jpeg"));
    assert_eq!(object.cache_control(), Some("max-age=60"));
    assert_eq!(object.metadata().unwrap()["camera"], "x100");
    assert_eq!(object.tag_count(), Some(1));
    assert_eq!(object.content_encoding(), None);
    assert_eq!(object.checksum_crc32(), Some("poTHxg=="));
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"0123456789");
    let head = s3.head_object().bucket(BUCKET).key("originals/1").send().await.unwrap();
    assert_eq!(head.content_length(), Some(10));
    endpoint.stop().await;
}

#[tokio::test]
async fn ranges_and_conditions() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    put(&s3, "k", b"0123456789").await;
    for (range, expected, content_range) in [
        ("bytes=2-4", &b"234"[..], "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ] {
        let part = s3.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(part.content_range(), Some(content_range));
        assert_eq!(part.body.collect().await.unwrap().to_vec(), expected);
    }
    let beyond = s3.get_object().bucket(BUCKET).key("k").range("bytes=10-").send().await.unwrap_err();
    assert_eq!(beyond.raw_response().unwrap().status().as_u16(), 416);

    let tag = "\"781e5e245d69b566979b86e28d23f2c7\"";
    let unchanged = s3.get_object().bucket(BUCKET).key("k").if_none_match(tag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let changed = s3.get_object().bucket(BUCKET).key("k").if_match("\"x\"").send().await.unwrap_err();
    assert_eq!(changed.code(), Some("PreconditionFailed"));

    let again = s3.put_object().bucket(BUCKET).key("k").if_none_match("*").body(ByteStream::from_static(b"x"));
    assert_eq!(again.send().await.unwrap_err().code(), Some("PreconditionFailed"));
    s3.put_object().bucket(BUCKET).key("new").if_none_match("*").send().await.unwrap();
    s3.put_object().bucket(BUCKET).key("k").if_match(tag).body(ByteStream::from_static(b"y")).send().await.unwrap();
    assert_eq!(get(&s3, "k").await, b"y");
    let missing = s3.get_object().bucket(BUCKET).key("missing").send().await.unwrap_err().into_service_error();
    assert!(missing.is_no_such_key(), "{missing:?}");
    assert!(
        s3.head_object().bucket(BUCKET).key("missing").send().await.unwrap_err().into_service_error().is_not_found()
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn keys_are_only_names() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let long = "k".repeat(1024);
    let keys = [
        "../../x",
        "/",
        "//a//",
        "a",
        "a/b",
        "a b+c&d=e?f#g",
        "é/\u{1f600}",
        "%2e%2e",
        "a\\b",
        ".",
        "..",
        "~",
        long.as_str(),
    ];
    for key in keys {
        put(&s3, key, key.as_bytes()).await;
    }
    for key in keys {
        assert_eq!(get(&s3, key).await, key.as_bytes(), "{key}");
    }
    let listed = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let mut sorted = keys;
    sorted.sort_unstable();
    assert_eq!(listed.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), sorted);
    let too_long = s3.put_object().bucket(BUCKET).key("k".repeat(1025)).send().await.unwrap_err();
    assert_eq!(too_long.code(), Some("KeyTooLongError"));
    endpoint.stop().await;
}

#[tokio::test]
async fn listings_by_prefix_and_page() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    for key in ["originals/1", "originals/2", "renditions/1/160", "renditions/1/480", "top"] {
        put(&s3, key, b"x").await;
    }
    let top = s3.list_objects_v2().bucket(BUCKET).delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = top.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
    assert_eq!(prefixes, ["originals/", "renditions/"]);
    assert_eq!(top.contents()[0].key(), Some("top"));
    let mut pages = s3.list_objects_v2().bucket(BUCKET).max_keys(2).into_paginator().send();
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        count += 1;
        keys.extend(page.unwrap().contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
    }
    assert_eq!((keys.len(), count), (5, 3));
    let old = s3.list_objects().bucket(BUCKET).prefix("renditions/").delimiter("/").max_keys(1);
    let old = old.encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(old.common_prefixes()[0].prefix(), Some("renditions/1/"));
    assert_eq!(old.is_truncated(), Some(false));
    endpoint.stop().await;
}

#[tokio::test]
async fn an_upload_in_parts() {
    let (directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let begun = s3.create_multipart_upload().bucket(BUCKET).key("big").content_type("image/tiff").send().await.unwrap();
    let upload = begun.upload_id().unwrap();
    let whole = content(5 * 1024 * 1024 + 1000);
    let (first, second) = whole.split_at(5 * 1024 * 1024);
    let mut parts = Vec::new();
    for (number, bytes) in [(2, second), (7, b"not chosen"), (1, first)] {
        let part = s3.upload_part().bucket(BUCKET).key("big").upload_id(upload).part_number(number);
        let part = part.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let listed = s3.list_parts().bucket(BUCKET).key("big").upload_id(upload).send().await.unwrap();
    assert_eq!(listed.parts().iter().map(|part| part.part_number().unwrap()).collect::<Vec<_>>(), [1, 2, 7]);
    assert_eq!(s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().len(), 1);

    let complete = |parts: Vec<CompletedPart>| {
        let chosen = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        s3.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(upload).multipart_upload(chosen).send()
    };
    let error = complete(parts[..1].iter().chain(&parts[2..]).cloned().collect()).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidPartOrder"));
    let done = complete(vec![parts[2].clone(), parts[0].clone()]).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    assert!(s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().is_empty());

    endpoint.drop_it().await;
    let endpoint = Running::start(directory.path()).await;
    let s3 = endpoint.s3().await;
    assert!(get(&s3, "big").await == whole);
    let across = s3.get_object().bucket(BUCKET).key("big").range("bytes=5242870-5242889").send().await.unwrap();
    assert_eq!(across.body.collect().await.unwrap().to_vec(), &whole[5_242_870..5_242_890]);
    let second_part = s3.get_object().bucket(BUCKET).key("big").part_number(2).send().await.unwrap();
    assert_eq!(second_part.parts_count(), Some(2));
    assert_eq!(second_part.content_length(), Some(1000));
    assert_eq!(second_part.content_type(), Some("image/tiff"));
    endpoint.stop().await;
    // One file a part that was chosen, and none of what was not.
    assert_eq!(blobs(directory.path()), 2);
}

fn blobs(directory: &std::path::Path) -> usize {
    let shards = std::fs::read_dir(directory.join("blobs")).unwrap();
    shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn what_is_replaced_or_removed_leaves_no_file() {
    let (directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    for key in ["a", "b", "c"] {
        put(&s3, key, b"first").await;
        put(&s3, key, b"second").await;
    }
    let copy = s3.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/a"));
    copy.send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(get(&s3, "copy").await, b"second");
    let not_empty = s3.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(not_empty.code(), Some("BucketNotEmpty"));
    let keys = ["b", "c", "copy", "never there"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(keys.to_vec())).build().unwrap();
    let deleted = s3.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (4, 0));
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    endpoint.stop().await;
    assert_eq!(blobs(directory.path()), 0);
}

#[tokio::test]
async fn presigned_urls_work_without_credentials() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let expiry = || PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let http = reqwest::Client::new();
    let upload = s3.put_object().bucket(BUCKET).key("a b").presigned(expiry()).await.unwrap();
    let answer = http.put(upload.uri()).body("content").send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let download = s3.get_object().bucket(BUCKET).key("a b").presigned(expiry()).await.unwrap();
    assert_eq!(http.get(download.uri()).send().await.unwrap().text().await.unwrap(), "content");
    let forged = download.uri().replace("a%20b", "c");
    assert_eq!(http.get(forged).send().await.unwrap().status().as_u16(), 403);
    let unsigned = format!("{}/{BUCKET}/a%20b", endpoint.url());
    assert_eq!(http.get(unsigned).send().await.unwrap().status().as_u16(), 403);
    endpoint.stop().await;
}

#[tokio::test]
async fn wrong_checksums_are_refused() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let put = || s3.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"content"));
    assert_eq!(put().checksum_crc32("AAAAAA==").send().await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(put().content_md5("?").send().await.unwrap_err().code(), Some("InvalidDigest"));
    for algorithm in
        [ChecksumAlgorithm::Sha256, ChecksumAlgorithm::Crc32C, ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha1]
    {
        put().checksum_algorithm(algorithm).send().await.unwrap();
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn buckets_and_what_is_not_offered() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    for name in ["No_Bucket", "foo-.bar", "foo.-bar"] {
        assert_eq!(s3.create_bucket().bucket(name).send().await.unwrap_err().code(), Some("InvalidBucketName"));
    }
    assert_eq!(s3.list_buckets().send().await.unwrap().buckets()[0].name(), Some(BUCKET));
    s3.head_bucket().bucket(BUCKET).send().await.unwrap();
    let location = s3.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert!(location.location_constraint().is_none_or(|constraint| constraint.as_str().is_empty()));
    let error = s3.get_object_torrent().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 501);
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains("GetObjectTorrent"), "{error:?}");
    let missing = s3.put_object().bucket("missing").key("k").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_large_object_streams_both_ways() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let whole = content(40 * 1024 * 1024);
    put(&s3, "large", &whole).await;
    assert!(get(&s3, "large").await == whole);
    endpoint.stop().await;
}
