//! What holds data: the bucket, the database, and the logs.

use serde_json::json;

use super::{super::invariants::every_variant, assert_has, assert_tls_only, of_kind, properties};

#[test]
fn the_bucket_is_closed_encrypted_and_keeps_no_halves_of_uploads() {
    let mut own = 0;
    for (name, template) in every_variant() {
        let buckets = of_kind(template, "AWS::S3::Bucket");
        let output = &template.outputs()["Bucket"]["Value"];
        if buckets.is_empty() {
            assert!(output.is_string() && of_kind(template, "AWS::S3::BucketPolicy").is_empty(), "{name}");
            continue;
        }
        own += 1;
        let bucket = buckets[0].1;
        let closed = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
        assert!(closed.iter().all(|setting| bucket["PublicAccessBlockConfiguration"][setting] == true), "{name}");
        assert_eq!(bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced", "{name}");
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256", "{name}");
        let rule = &bucket["LifecycleConfiguration"]["Rules"][0];
        assert_eq!(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1, "{name}");
        let whole = json!([{ "Fn::GetAtt": ["Bucket", "Arn"] }, { "Fn::Sub": "${Bucket.Arn}/*" }]);
        assert_tls_only(name, &properties(template, "BucketPolicy")["PolicyDocument"], &whole);
        let fate = |id: &str| template.resources()[id]["DeletionPolicy"].clone();
        assert_eq!(fate("Bucket"), fate("BucketPolicy"), "{name}: what protects it stays with it");
    }
    assert!(own > 0, "a bucket of the environment's own is among the variants");
}

#[test]
fn the_database_is_private_encrypted_and_its_password_nobodys() {
    for (name, template) in every_variant() {
        let wanted = json!({
            "Engine": "postgres",
            "StorageType": "gp3",
            "StorageEncrypted": true,
            "PubliclyAccessible": false,
            "ManageMasterUserPassword": true,
            "CopyTagsToSnapshot": true,
        });
        let database = properties(template, "Catalog");
        assert_has(name, database, &wanted);
        assert!(database.get("MasterUserPassword").is_none(), "{name}");
        assert!(
            database.get("DBInstanceIdentifier").is_none(),
            "{name}: a name would stand in the way of a replacement"
        );
        let version = database["EngineVersion"].as_str().expect("a version");
        assert!(version.bytes().all(|byte| byte.is_ascii_digit()), "{name}: AWS chooses the minor version: {version}");
        assert!(database["BackupRetentionPeriod"].as_u64() >= Some(1), "{name}");
        assert_eq!(database["VPCSecurityGroups"], json!([{ "Fn::GetAtt": ["CatalogSecurityGroup", "GroupId"] }]));
    }
}

#[test]
fn what_holds_data_says_what_becomes_of_it() {
    for (name, template) in every_variant() {
        for (id, resource) in template.resources() {
            let fate = &resource["DeletionPolicy"];
            assert_eq!(*fate, resource["UpdateReplacePolicy"], "{name}: {id}");
            let kind = resource["Type"].as_str().expect("a type");
            let holds = ["AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::RDS::DBInstance", "AWS::Logs::LogGroup"];
            assert_eq!(fate.is_string(), holds.contains(&kind), "{name}: {id}: {fate}");
        }
    }
}

#[test]
fn logs_end() {
    for (name, template) in every_variant() {
        let groups = of_kind(template, "AWS::AutoScaling::AutoScalingGroup").len();
        let logs = of_kind(template, "AWS::Logs::LogGroup");
        assert_eq!(logs.len(), groups, "{name}: a log a group");
        for (id, log) in logs {
            assert!(log["RetentionInDays"].as_u64().is_some_and(|days| days <= 30), "{name}: {id}");
            assert!(log["LogGroupName"].as_str().is_some_and(|name| name.len() <= 512), "{name}: {id}");
        }
    }
}
