//! Settings of buckets that are kept without effect, and access control lists, by the official SDK.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    presigning::PresigningConfig,
    types::{
        AccelerateConfiguration, BucketAccelerateStatus, BucketCannedAcl, BucketLoggingStatus, CorsConfiguration,
        CorsRule, IndexDocument, LoggingEnabled, ObjectOwnership, OwnershipControls, OwnershipControlsRule, Payer,
        Permission, PublicAccessBlockConfiguration, RequestPaymentConfiguration, WebsiteConfiguration,
    },
};

use crate::support::{DEADLINE, fresh};

const BUCKET: &str = "kept";

#[tokio::test]
async fn a_new_bucket_begins_as_on_aws_and_settings_can_be_taken_away() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let ownership = s3.get_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
    let rules = ownership.ownership_controls().unwrap().rules();
    assert_eq!(rules[0].object_ownership(), &ObjectOwnership::BucketOwnerEnforced);
    let block = s3.get_public_access_block().bucket(BUCKET).send().await.unwrap();
    assert_eq!(block.public_access_block_configuration().unwrap().block_public_acls(), Some(true));
    let payer = s3.get_bucket_request_payment().bucket(BUCKET).send().await.unwrap();
    assert_eq!(payer.payer(), Some(&Payer::BucketOwner));
    assert!(s3.get_bucket_logging().bucket(BUCKET).send().await.unwrap().logging_enabled().is_none());
    assert!(s3.get_bucket_accelerate_configuration().bucket(BUCKET).send().await.unwrap().status().is_none());
    let no_website = s3.get_bucket_website().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(no_website.code(), Some("NoSuchWebsiteConfiguration"));
    let no_replication = s3.get_bucket_replication().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(no_replication.code(), Some("ReplicationConfigurationNotFoundError"));

    s3.delete_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
    let removed = s3.get_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(removed.code(), Some("OwnershipControlsNotFoundError"));
    s3.delete_public_access_block().bucket(BUCKET).send().await.unwrap();
    let removed = s3.get_public_access_block().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(removed.code(), Some("NoSuchPublicAccessBlockConfiguration"));
}

#[tokio::test]
async fn what_is_set_is_answered() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).object_ownership(ObjectOwnership::ObjectWriter).send().await.unwrap();
    let ownership = async || {
        let got = s3.get_bucket_ownership_controls().bucket(BUCKET).send().await.unwrap();
        got.ownership_controls().unwrap().rules()[0].object_ownership().clone()
    };
    assert_eq!(ownership().await, ObjectOwnership::ObjectWriter);
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerPreferred).build();
    let controls = OwnershipControls::builder().rules(rule.unwrap()).build().unwrap();
    s3.put_bucket_ownership_controls().bucket(BUCKET).ownership_controls(controls).send().await.unwrap();
    assert_eq!(ownership().await, ObjectOwnership::BucketOwnerPreferred);

    let block = PublicAccessBlockConfiguration::builder().block_public_policy(true).build();
    s3.put_public_access_block().bucket(BUCKET).public_access_block_configuration(block).send().await.unwrap();
    let block = s3.get_public_access_block().bucket(BUCKET).send().await.unwrap();
    let block = block.public_access_block_configuration().unwrap();
    assert_eq!((block.block_public_policy(), block.ignore_public_acls()), (Some(true), Some(false)));

    let index = IndexDocument::builder().suffix("index.html").build().unwrap();
    let website = WebsiteConfiguration::builder().index_document(index).build();
    s3.put_bucket_website().bucket(BUCKET).website_configuration(website).send().await.unwrap();
    let website = s3.get_bucket_website().bucket(BUCKET).send().await.unwrap();
    assert_eq!(website.index_document().unwrap().suffix(), "index.html");
    let empty = WebsiteConfiguration::builder().build();
    let refused = s3.put_bucket_website().bucket(BUCKET).website_configuration(empty).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidArgument"));

    let logging = |target: &str| {
        let enabled = LoggingEnabled::builder().target_bucket(target).target_prefix("log/").build().unwrap();
        s3.put_bucket_logging()
            .bucket(BUCKET)
            .bucket_logging_status(BucketLoggingStatus::builder().logging_enabled(enabled).build())
    };
    let refused = logging("nowhere").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidTargetBucketForLogging"));
    logging(BUCKET).send().await.unwrap();
    let kept = s3.get_bucket_logging().bucket(BUCKET).send().await.unwrap();
    assert_eq!(kept.logging_enabled().unwrap().target_prefix(), "log/");

    let faster = AccelerateConfiguration::builder().status(BucketAccelerateStatus::Enabled).build();
    s3.put_bucket_accelerate_configuration().bucket(BUCKET).accelerate_configuration(faster).send().await.unwrap();
    let kept = s3.get_bucket_accelerate_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(kept.status(), Some(&BucketAccelerateStatus::Enabled));
    let payer = RequestPaymentConfiguration::builder().payer(Payer::Requester).build().unwrap();
    s3.put_bucket_request_payment().bucket(BUCKET).request_payment_configuration(payer).send().await.unwrap();
    let kept = s3.get_bucket_request_payment().bucket(BUCKET).send().await.unwrap();
    assert_eq!(kept.payer(), Some(&Payer::Requester));
}

#[tokio::test]
async fn everything_is_its_owners() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let acl = s3.get_bucket_acl().bucket(BUCKET).send().await.unwrap();
    let [grant] = acl.grants() else { panic!("{acl:?}") };
    assert_eq!(grant.permission(), Some(&Permission::FullControl));
    assert_eq!(grant.grantee().unwrap().id(), acl.owner().unwrap().id());
    s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::Private).send().await.unwrap();
    let public = s3.put_bucket_acl().bucket(BUCKET).acl(BucketCannedAcl::PublicRead).send().await.unwrap_err();
    assert_eq!(public.code(), Some("AccessControlListNotSupported"));
    let none = s3.get_object_acl().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert_eq!(none.code(), Some("NoSuchKey"));
    let policy =
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}"#;
    s3.put_bucket_policy().bucket(BUCKET).policy(policy).send().await.unwrap();
    let status = s3.get_bucket_policy_status().bucket(BUCKET).send().await.unwrap();
    assert_eq!(status.policy_status().unwrap().is_public(), Some(true));
}

#[tokio::test]
async fn a_page_of_another_site_changes_only_what_its_bucket_allows() {
    let (_directory, endpoint) = fresh().await;
    let s3 = endpoint.s3().await;
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let put = async || {
        let presigned = s3.put_object().bucket(BUCKET).key("page");
        let presigned = presigned.presigned(PresigningConfig::expires_in(DEADLINE).unwrap()).await.unwrap();
        let request = reqwest::Client::new().put(presigned.uri()).body("from a page");
        let request = request.header("origin", "https://example.com").header("sec-fetch-site", "cross-site");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(put().await, 403);
    let rule = CorsRule::builder().allowed_origins("https://example.com").allowed_methods("PUT").build().unwrap();
    let rules = CorsConfiguration::builder().cors_rules(rule).build().unwrap();
    s3.put_bucket_cors().bucket(BUCKET).cors_configuration(rules).send().await.unwrap();
    assert_eq!(put().await, 200);
}
