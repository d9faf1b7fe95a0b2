//! The bucket and the catalog.

use aws_sdk_s3::operation::head_bucket::HeadBucketError;

use super::unseen;
use crate::{
    aws::{Session, error::Call},
    status::{Detail, Health, Part},
};

/// Name of the one bucket and the one catalog in a topology.
const NAME: &str = "images";

pub(super) async fn bucket(session: &Session, bucket: &str) -> Vec<Part> {
    let part =
        |health, reason| Part { detail: Detail::Bucket {}, name: NAME.to_owned(), health, reason, look_again: false };
    if bucket.is_empty() {
        return vec![part(Health::Down, Some("it is not made".to_owned()))];
    }
    let found = session.buckets().head_bucket().bucket(bucket).send().await;
    vec![match found {
        Ok(_) => part(Health::Ok, None),
        Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) => {
            part(Health::Down, Some(format!("bucket {bucket} is gone")))
        }
        // A refusal to HEAD has no body, and so no code.
        Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 403) => {
            part(Health::Unknown, Some(format!("not allowed to s3:ListBucket on {bucket}")))
        }
        Err(error) => unseen(NAME, Detail::Bucket {}, &Call::new("s3", "ListBucket", bucket).failed()(error)),
    }]
}

pub(super) async fn catalog(session: &Session, identifier: Option<&str>) -> Vec<Part> {
    let detail = || Detail::Catalog { engine: "postgres".to_owned() };
    let part = |health, reason| Part { detail: detail(), name: NAME.to_owned(), health, reason, look_again: false };
    let Some(identifier) = identifier else { return vec![part(Health::Down, Some("it is not made".to_owned()))] };
    let call = Call::new("rds", "DescribeDBInstances", identifier);
    let request = session.databases().describe_db_instances().db_instance_identifier(identifier);
    vec![match request.send().await.map_err(call.failed()) {
        Ok(found) => {
            let status = found.db_instances().first().and_then(|database| database.db_instance_status());
            let (health, reason) = judge(status);
            part(health, reason)
        }
        Err(error) if error.has_code("DBInstanceNotFound") => {
            part(Health::Down, Some(format!("database {identifier} is gone")))
        }
        Err(error) => unseen(NAME, detail(), &error),
    }]
}

/// While RDS backs a database up or changes it, the database serves.
fn judge(status: Option<&str>) -> (Health, Option<String>) {
    const SERVES: &[&str] = &[
        "available",
        "backing-up",
        "configuring-enhanced-monitoring",
        "modifying",
        "storage-optimization",
        "storage-config-upgrade",
    ];
    match status {
        Some("available") => (Health::Ok, None),
        Some(status) if SERVES.contains(&status) => (Health::Ok, Some(status.to_owned())),
        Some(status @ ("creating" | "rebooting" | "starting" | "upgrading" | "maintenance")) => {
            (Health::Degraded, Some(status.to_owned()))
        }
        Some(status) => (Health::Down, Some(status.to_owned())),
        None => (Health::Down, Some("it is gone".to_owned())),
    }
}
