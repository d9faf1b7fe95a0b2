//! Versions that cannot be deleted, by the official SDK.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{
        BucketVersioningStatus, DefaultRetention, Delete, ObjectIdentifier, ObjectLockConfiguration, ObjectLockEnabled,
        ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
        ObjectLockRule, VersioningConfiguration,
    },
};

use crate::support::{Running, fresh};

const BUCKET: &str = "locks";

async fn locking(endpoint: &Running) -> Client {
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).object_lock_enabled_for_bucket(true).send().await.unwrap();
    s3
}

fn in_an_hour() -> DateTime {
    (std::time::SystemTime::now() + Duration::from_hours(1)).into()
}

async fn put(s3: &Client, key: &str) -> String {
    s3.put_object().bucket(BUCKET).key(key).send().await.unwrap().version_id.unwrap()
}

#[tokio::test]
async fn what_is_retained_stays() {
    let (_directory, endpoint) = fresh().await;
    let s3 = locking(&endpoint).await;
    let default = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(1).build();
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(default).build())
        .build();
    let set = s3.put_object_lock_configuration().bucket(BUCKET).object_lock_configuration(configuration.clone());
    set.send().await.unwrap();
    let kept = s3.get_object_lock_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(kept.object_lock_configuration(), Some(&configuration));

    let version = put(&s3, "k").await;
    let head = s3.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Governance));
    let delete = || s3.delete_object().bucket(BUCKET).key("k").version_id(&version);
    assert_eq!(delete().send().await.unwrap_err().code(), Some("AccessDenied"));
    let object = ObjectIdentifier::builder().key("k").version_id(&version).build().unwrap();
    let many = s3.delete_objects().bucket(BUCKET).delete(Delete::builder().objects(object).build().unwrap());
    assert_eq!(many.send().await.unwrap().errors()[0].code(), Some("AccessDenied"));
    // A delete marker takes nothing away.
    s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    delete().bypass_governance_retention(true).send().await.unwrap();

    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let suspend = s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(suspended).send().await;
    assert_eq!(suspend.unwrap_err().code(), Some("InvalidBucketState"));
    endpoint.stop().await;
}

#[tokio::test]
async fn retention_and_legal_hold_of_an_object() {
    let (directory, endpoint) = fresh().await;
    let s3 = locking(&endpoint).await;
    let version = put(&s3, "k").await;
    let none = s3.get_object_retention().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(none.code(), Some("NoSuchObjectLockConfiguration"));
    let hold = async |s3: &Client, status: ObjectLockLegalHoldStatus| {
        let hold = ObjectLockLegalHold::builder().status(status).build();
        s3.put_object_legal_hold().bucket(BUCKET).key("k").legal_hold(hold).send().await.unwrap();
    };
    hold(&s3, ObjectLockLegalHoldStatus::On).await;
    endpoint.stop().await;

    let endpoint = Running::start(directory.path()).await;
    let s3 = endpoint.s3().await;
    let delete = || s3.delete_object().bucket(BUCKET).key("k").version_id(&version).bypass_governance_retention(true);
    assert_eq!(delete().send().await.unwrap_err().code(), Some("AccessDenied"));
    hold(&s3, ObjectLockLegalHoldStatus::Off).await;
    let retain = |mode: ObjectLockRetentionMode, until: DateTime| {
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
        s3.put_object_retention().bucket(BUCKET).key("k").retention(retention)
    };
    let until = in_an_hour();
    retain(ObjectLockRetentionMode::Compliance, until).send().await.unwrap();
    let sooner = DateTime::from_secs(until.secs() - 60);
    let shorter = retain(ObjectLockRetentionMode::Compliance, sooner).bypass_governance_retention(true).send().await;
    assert_eq!(shorter.unwrap_err().code(), Some("AccessDenied"));
    let past = retain(ObjectLockRetentionMode::Compliance, DateTime::from_secs(1)).send().await;
    assert_eq!(past.unwrap_err().code(), Some("InvalidArgument"));
    assert_eq!(delete().send().await.unwrap_err().code(), Some("AccessDenied"));
    endpoint.stop().await;
}

#[tokio::test]
async fn only_buckets_that_lock_take_locks() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let missing = s3.get_object_lock_configuration().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ObjectLockConfigurationNotFoundError"));
    let locked = s3.put_object().bucket(BUCKET).key("k").object_lock_mode(ObjectLockMode::Compliance);
    let locked = locked.object_lock_retain_until_date(in_an_hour()).send().await.unwrap_err();
    assert_eq!(locked.code(), Some("InvalidRequest"));
    let bypass = s3.delete_object().bucket(BUCKET).key("k").bypass_governance_retention(true).send().await.unwrap_err();
    assert_eq!(bypass.code(), Some("InvalidArgument"));
    let enabled = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).build();
    let set = s3.put_object_lock_configuration().bucket(BUCKET).object_lock_configuration(enabled).send().await;
    assert_eq!(set.unwrap_err().code(), Some("InvalidBucketState"));
    endpoint.stop().await;
}
