//! Uploads in parts, copies and checksums, by the official SDK.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::upload_part::UploadPartOutput,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, MetadataDirective,
        ObjectAttributes, TaggingDirective,
    },
};

use crate::support::{Running, fresh};

const BUCKET: &str = "uploads";
const PART: usize = 5 * 1024 * 1024;

async fn with_bucket(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3
}

async fn put(s3: &Client, key: &str, content: &'static [u8]) {
    s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(content)).send().await.unwrap();
}

fn completed(number: i32, part: &UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(part.e_tag.clone())
        .set_checksum_crc32(part.checksum_crc32.clone())
        .set_checksum_crc32_c(part.checksum_crc32_c.clone())
        .set_checksum_crc64_nvme(part.checksum_crc64_nvme.clone())
        .set_checksum_sha1(part.checksum_sha1.clone())
        .set_checksum_sha256(part.checksum_sha256.clone())
        .build()
}

#[tokio::test]
async fn every_checksum_of_parts_is_kept() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc32C, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
        (ChecksumAlgorithm::Sha1, ChecksumType::Composite),
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
    ] {
        let begin = s3.create_multipart_upload().bucket(BUCKET).key("k");
        let begun = begin.checksum_algorithm(algorithm.clone()).checksum_type(kind.clone()).send().await.unwrap();
        let upload = begun.upload_id().unwrap();
        assert_eq!((begun.checksum_algorithm(), begun.checksum_type()), (Some(&algorithm), Some(&kind)));
        let mut parts = Vec::new();
        for (number, bytes) in [(1, vec![b'a'; PART]), (2, b"the end".to_vec())] {
            let part = s3.upload_part().bucket(BUCKET).key("k").upload_id(upload).part_number(number);
            let part = part.checksum_algorithm(algorithm.clone()).body(ByteStream::from(bytes)).send().await.unwrap();
            parts.push(completed(number, &part));
        }
        let chosen = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = s3.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(upload);
        let done = complete.multipart_upload(chosen.clone()).send().await.unwrap();
        assert_eq!(done.checksum_type(), Some(&kind));
        // Sent again, as after an answer that was lost.
        let again = s3.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(upload);
        assert_eq!(again.multipart_upload(chosen).send().await.unwrap().e_tag(), done.e_tag());

        let wanted = [ObjectAttributes::Checksum, ObjectAttributes::ObjectParts, ObjectAttributes::ObjectSize];
        let attributes = s3.get_object_attributes().bucket(BUCKET).key("k").set_object_attributes(Some(wanted.into()));
        let attributes = attributes.send().await.unwrap();
        assert_eq!(attributes.object_size(), Some(i64::try_from(PART + 7).unwrap()));
        assert_eq!(attributes.checksum().unwrap().checksum_type(), Some(&kind));
        let parts = attributes.object_parts().unwrap();
        assert_eq!(parts.total_parts_count(), Some(2));
        // Only where the checksum is one of theirs the parts are told one by one.
        let told = if kind == ChecksumType::Composite { 7 + i64::try_from(PART).unwrap() } else { 0 };
        assert_eq!(parts.parts().iter().map(|part| part.size().unwrap()).sum::<i64>(), told);
        // The SDK verifies a checksum of the whole object.
        let got = s3.get_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec().len(), PART + 7);
    }
    let mixed = s3.create_multipart_upload().bucket(BUCKET).key("k").checksum_algorithm(ChecksumAlgorithm::Sha256);
    let mixed = mixed.checksum_type(ChecksumType::FullObject).send().await.unwrap_err();
    assert_eq!(mixed.code(), Some("InvalidRequest"));
    endpoint.stop().await;
}

#[tokio::test]
async fn every_checksum_of_an_object_is_kept() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    for (algorithm, expected) in [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
        (ChecksumAlgorithm::Crc32C, "4waSgw=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ] {
        let put = s3.put_object().bucket(BUCKET).key("k").checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from_static(b"123456789")).send().await.unwrap();
        let head = s3.head_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let found = [
            head.checksum_crc32(),
            head.checksum_crc32_c(),
            head.checksum_crc64_nvme(),
            head.checksum_sha1(),
            head.checksum_sha256(),
        ];
        assert_eq!(found.into_iter().flatten().count(), 1, "{algorithm}");
        assert!(found.contains(&Some(expected)), "{algorithm}: {found:?}");
        assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
    }
    let without = s3.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(without.checksum_sha256(), None);
    endpoint.stop().await;
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    put(&s3, "source", b"0123456789").await;
    let begun = s3.create_multipart_upload().bucket(BUCKET).key("joined").send().await.unwrap();
    let upload = begun.upload_id().unwrap();
    let copy = |range: &'static str| {
        let copy = s3.upload_part_copy().bucket(BUCKET).key("joined").upload_id(upload).part_number(1);
        copy.copy_source(format!("{BUCKET}/source")).copy_source_range(range).send()
    };
    assert_eq!(copy("bytes=2-").await.unwrap_err().code(), Some("InvalidArgument"));
    assert_eq!(copy("bytes=5-10").await.unwrap_err().code(), Some("InvalidArgument"));
    let part = copy("bytes=2-5").await.unwrap();
    let tag = part.copy_part_result().unwrap().e_tag().unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(tag).build();
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key("joined").upload_id(upload);
    let chosen = CompletedMultipartUpload::builder().parts(part).build();
    complete.multipart_upload(chosen).send().await.unwrap();
    let got = s3.get_object().bucket(BUCKET).key("joined").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"2345");
    endpoint.stop().await;
}

#[tokio::test]
async fn uploads_are_listed_in_pages_and_by_prefix() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let mut ids = Vec::new();
    for key in ["a", "a", "b/1", "b/2", "c"] {
        let begun = s3.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
        ids.push((key, begun.upload_id.unwrap()));
    }
    for size in 1..6 {
        let (mut seen, mut key, mut id) = (Vec::new(), None, None);
        loop {
            let page = s3.list_multipart_uploads().bucket(BUCKET).delimiter("/").max_uploads(size);
            let page = page.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
            seen.extend(page.uploads().iter().map(|upload| upload.key().unwrap().to_owned()));
            seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
            if page.is_truncated() != Some(true) {
                break;
            }
            // The service does not say where a page of prefixes ends.
            let last = page.common_prefixes().last().and_then(|prefix| prefix.prefix()).map(str::to_owned);
            key = page.next_key_marker.clone().filter(|key| !key.is_empty()).or(last);
            assert_eq!(page.next_key_marker() == Some(""), page.uploads().is_empty(), "{size}");
            id = page.next_upload_id_marker;
        }
        seen.sort_unstable();
        assert_eq!(seen, ["a", "a", "b/", "c"], "{size}");
    }
    for (key, id) in ids {
        s3.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(&id).send().await.unwrap();
        let gone = s3.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(&id).send().await.unwrap_err();
        assert_eq!(gone.code(), Some("NoSuchUpload"));
    }
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    endpoint.stop().await;
}

#[tokio::test]
async fn copies_keep_or_replace_what_an_object_has() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let source = s3.put_object().bucket(BUCKET).key("a b/é").content_type("image/png").metadata("m", "1");
    source.tagging("t=1").body(ByteStream::from_static(b"x")).send().await.unwrap();
    let copy = |key: &str| s3.copy_object().bucket(BUCKET).key(key).copy_source(format!("{BUCKET}/a%20b/%C3%A9"));
    copy("kept").send().await.unwrap();
    let replaced = copy("replaced").metadata_directive(MetadataDirective::Replace).metadata("n", "2");
    replaced.tagging_directive(TaggingDirective::Replace).tagging("u=2").send().await.unwrap();
    let head = async |key: &str| s3.head_object().bucket(BUCKET).key(key).send().await.unwrap();
    let tags = async |key: &str| {
        let tags = s3.get_object_tagging().bucket(BUCKET).key(key).send().await.unwrap();
        tags.tag_set().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect::<Vec<_>>()
    };
    let (kept, replaced) = (head("kept").await, head("replaced").await);
    assert_eq!((kept.content_type(), &kept.metadata().unwrap()["m"]), (Some("image/png"), &"1".to_owned()));
    assert_eq!(replaced.metadata().unwrap().keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!((tags("kept").await, tags("replaced").await), (vec!["t=1".to_owned()], vec!["u=2".to_owned()]));

    let itself = copy("a b/é").send().await.unwrap_err();
    assert_eq!(itself.code(), Some("InvalidRequest"));
    let with_checksum = copy("sum").checksum_algorithm(ChecksumAlgorithm::Sha1).send().await.unwrap();
    assert!(with_checksum.copy_object_result().unwrap().checksum_sha1().is_some());
    let tag = kept.e_tag().unwrap();
    assert!(copy("c").copy_source_if_match(tag).send().await.is_ok());
    let refused = copy("c").copy_source_if_none_match(tag).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    let missing = s3.copy_object().bucket(BUCKET).key("c").copy_source(format!("{BUCKET}/none")).send().await;
    assert_eq!(missing.unwrap_err().code(), Some("NoSuchKey"));
    endpoint.stop().await;
}

#[tokio::test]
async fn uploads_say_what_is_wrong_with_their_parts() {
    let (_directory, endpoint) = fresh().await;
    let s3 = with_bucket(&endpoint).await;
    let begin = async |algorithm: Option<ChecksumAlgorithm>| {
        let begin = s3.create_multipart_upload().bucket(BUCKET).key("k").set_checksum_algorithm(algorithm);
        begin.send().await.unwrap().upload_id.unwrap()
    };
    let part = |upload: &str, number: i32| {
        let part = s3.upload_part().bucket(BUCKET).key("k").upload_id(upload).part_number(number);
        part.body(ByteStream::from_static(b"x")).send()
    };
    let complete = |upload: &str, part: Option<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder().set_parts(part.map(|part| vec![part])).build();
        s3.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(upload).multipart_upload(parts).send()
    };
    // An upload that is not there is said before a number that cannot be.
    assert_eq!(part(&"0".repeat(44), 0).await.unwrap_err().code(), Some("NoSuchUpload"));
    let plain = begin(None).await;
    assert_eq!(part(&plain, 0).await.unwrap_err().code(), Some("InvalidArgument"));
    assert_eq!(complete(&plain, None).await.unwrap_err().code(), Some("InvalidRequest"));
    // Checksums of parts are those of an upload that has them.
    let sent = part(&plain, 1).await.unwrap();
    assert!(sent.checksum_crc32().is_some());
    assert_eq!(complete(&plain, Some(completed(1, &sent))).await.unwrap_err().code(), Some("InvalidPart"));
    let summed = begin(Some(ChecksumAlgorithm::Crc32)).await;
    let sent = part(&summed, 1).await.unwrap();
    let other = CompletedPart::builder().part_number(1).set_e_tag(sent.e_tag.clone()).checksum_sha1("x").build();
    assert_eq!(complete(&summed, Some(other)).await.unwrap_err().code(), Some("BadDigest"));
    complete(&summed, Some(completed(1, &sent))).await.unwrap();
    endpoint.stop().await;
}
