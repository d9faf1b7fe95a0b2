//! Versions of objects, by the official SDK.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::list_object_versions::ListObjectVersionsOutput,
    primitives::ByteStream,
    types::{BucketVersioningStatus, Delete, ObjectIdentifier, VersioningConfiguration},
};

use crate::support::{Running, fresh};

const BUCKET: &str = "versions";

async fn set_versioning(s3: &Client, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration).send().await.unwrap();
}

async fn versioned(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    set_versioning(&s3, BucketVersioningStatus::Enabled).await;
    s3
}

/// Puts an object and answers with its version.
async fn put(s3: &Client, key: &str, content: &'static str) -> Option<String> {
    let body = ByteStream::from_static(content.as_bytes());
    s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap().version_id
}

async fn get(s3: &Client, key: &str, version: Option<&str>) -> String {
    let get = s3.get_object().bucket(BUCKET).key(key).set_version_id(version.map(str::to_owned));
    let object = get.send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

async fn list(s3: &Client) -> ListObjectVersionsOutput {
    s3.list_object_versions().bucket(BUCKET).send().await.unwrap()
}

#[tokio::test]
async fn former_versions_stay() {
    let (directory, endpoint) = fresh().await;
    let s3 = versioned(&endpoint).await;
    let first = put(&s3, "k", "first").await.unwrap();
    let second = put(&s3, "k", "second").await.unwrap();
    assert_ne!(first, second);
    endpoint.stop().await;

    let endpoint = Running::start(directory.path()).await;
    let s3 = endpoint.s3().await;
    assert_eq!(get(&s3, "k", None).await, "second");
    assert_eq!(get(&s3, "k", Some(&first)).await, "first");
    let head = s3.head_object().bucket(BUCKET).key("k").version_id(&first).send().await.unwrap();
    assert_eq!((head.content_length(), head.version_id()), (Some(5), Some(first.as_str())));
    let listed = list(&s3).await;
    let versions: Vec<_> = listed.versions().iter().map(|it| (it.version_id().unwrap(), it.is_latest())).collect();
    assert_eq!(versions, [(second.as_str(), Some(true)), (first.as_str(), Some(false))]);

    let copy = s3.copy_object().bucket(BUCKET).key("k").copy_source(format!("{BUCKET}/k?versionId={first}"));
    let copied = copy.send().await.unwrap();
    assert_eq!(copied.copy_source_version_id(), Some(first.as_str()));
    assert_eq!(get(&s3, "k", copied.version_id()).await, "first");
    let unknown = s3.get_object().bucket(BUCKET).key("k").version_id("a".repeat(32)).send().await.unwrap_err();
    assert_eq!(unknown.code(), Some("NoSuchVersion"));
    let invalid = s3.get_object().bucket(BUCKET).key("k").version_id("?").send().await.unwrap_err();
    assert_eq!(invalid.code(), Some("InvalidArgument"));
    let delete = |version: &str| s3.delete_object().bucket(BUCKET).key("k").version_id(version).send();
    assert_eq!(delete(&"a".repeat(32)).await.unwrap_err().code(), Some("InvalidArgument"));
    let never = s3.delete_object().bucket(BUCKET).key("never").version_id("a".repeat(32)).send().await.unwrap_err();
    assert_eq!(never.code(), Some("InvalidArgument"));
    delete(&second).await.unwrap();
    delete(&second).await.unwrap();
    s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    let tags = s3.get_object_tagging().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(tags.code(), Some("MethodNotAllowed"));
    endpoint.stop().await;
}

#[tokio::test]
async fn delete_markers_hide_and_are_removed() {
    let (_directory, endpoint) = fresh().await;
    let s3 = versioned(&endpoint).await;
    let version = put(&s3, "k", "content").await.unwrap();
    let deleted = s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id().unwrap().to_owned();

    let gone = s3.get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchKey"));
    let headers = gone.raw_response().unwrap().headers();
    assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
    assert_eq!(headers.get("x-amz-version-id"), Some(marker.as_str()));
    let not_allowed = s3.get_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap_err();
    assert_eq!(not_allowed.code(), Some("MethodNotAllowed"));
    assert_eq!(get(&s3, "k", Some(&version)).await, "content");
    assert!(s3.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents().is_empty());
    let listed = list(&s3).await;
    assert_eq!((listed.versions().len(), listed.delete_markers().len()), (1, 1));
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));
    let held = s3.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(held.code(), Some("BucketNotEmpty"));

    let undone = s3.delete_object().bucket(BUCKET).key("k").version_id(&marker).send().await.unwrap();
    assert_eq!((undone.delete_marker(), undone.version_id()), (Some(true), Some(marker.as_str())));
    assert_eq!(get(&s3, "k", None).await, "content");
    let this = ObjectIdentifier::builder().key("k").version_id(&version).build().unwrap();
    let delete = Delete::builder().objects(this).build().unwrap();
    let deleted = s3.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted()[0].version_id(), Some(version.as_str()));
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    endpoint.stop().await;
}

#[tokio::test]
async fn a_suspended_bucket_has_one_null_version_a_key() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    assert_eq!(put(&s3, "k", "before").await, None);
    assert_eq!(s3.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status(), None);
    set_versioning(&s3, BucketVersioningStatus::Enabled).await;
    let kept = put(&s3, "k", "kept").await.unwrap();
    assert_eq!(get(&s3, "k", Some("null")).await, "before");
    set_versioning(&s3, BucketVersioningStatus::Suspended).await;
    let status = s3.get_bucket_versioning().bucket(BUCKET).send().await.unwrap();
    assert_eq!(status.status(), Some(&BucketVersioningStatus::Suspended));
    // The version is named where it is read, not where it is written.
    assert_eq!(put(&s3, "k", "after").await, None);
    assert_eq!(get(&s3, "k", Some("null")).await, "after");
    assert_eq!(get(&s3, "k", Some(&kept)).await, "kept");
    let deleted = s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!((deleted.delete_marker(), deleted.version_id()), (Some(true), Some("null")));
    let listed = list(&s3).await;
    assert_eq!((listed.versions().len(), listed.delete_markers().len()), (1, 1));
    endpoint.stop().await;
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let (_directory, endpoint) = fresh().await;
    let s3 = versioned(&endpoint).await;
    for (key, content) in [("a", "1"), ("a", "2"), ("b/x", "1"), ("b/y", "1"), ("c", "1"), ("a", "3")] {
        put(&s3, key, content).await;
    }
    s3.delete_object().bucket(BUCKET).key("c").send().await.unwrap();
    for size in 1..7 {
        let mut seen = Vec::new();
        let (mut key, mut version) = (None, None);
        loop {
            let page = s3.list_object_versions().bucket(BUCKET).delimiter("/").max_keys(size);
            let page = page.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
            seen.extend(page.versions().iter().map(|it| it.key().unwrap().to_owned()));
            seen.extend(page.delete_markers().iter().map(|it| it.key().unwrap().to_owned()));
            seen.extend(page.common_prefixes().iter().map(|it| it.prefix().unwrap().to_owned()));
            if page.is_truncated() != Some(true) {
                break;
            }
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["a", "a", "a", "b/", "c", "c"], "{size}");
    }
    endpoint.stop().await;
}
