//! Configurations of which a bucket can have many, each with an id: kept and answered, without any effect.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::{Connection, OptionalExtension, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        AnalyticsConfiguration, DeleteBucketAnalyticsConfigurationInput, DeleteBucketAnalyticsConfigurationOutput,
        DeleteBucketIntelligentTieringConfigurationInput, DeleteBucketIntelligentTieringConfigurationOutput,
        DeleteBucketInventoryConfigurationInput, DeleteBucketInventoryConfigurationOutput,
        DeleteBucketMetricsConfigurationInput, DeleteBucketMetricsConfigurationOutput,
        GetBucketAnalyticsConfigurationInput, GetBucketAnalyticsConfigurationOutput,
        GetBucketIntelligentTieringConfigurationInput, GetBucketIntelligentTieringConfigurationOutput,
        GetBucketInventoryConfigurationInput, GetBucketInventoryConfigurationOutput,
        GetBucketMetricsConfigurationInput, GetBucketMetricsConfigurationOutput, IntelligentTieringConfiguration,
        InventoryConfiguration, ListBucketAnalyticsConfigurationsInput, ListBucketAnalyticsConfigurationsOutput,
        ListBucketIntelligentTieringConfigurationsInput, ListBucketIntelligentTieringConfigurationsOutput,
        ListBucketInventoryConfigurationsInput, ListBucketInventoryConfigurationsOutput,
        ListBucketMetricsConfigurationsInput, ListBucketMetricsConfigurationsOutput, MetricsConfiguration,
        PutBucketAnalyticsConfigurationInput, PutBucketAnalyticsConfigurationOutput,
        PutBucketIntelligentTieringConfigurationInput, PutBucketIntelligentTieringConfigurationOutput,
        PutBucketInventoryConfigurationInput, PutBucketInventoryConfigurationOutput,
        PutBucketMetricsConfigurationInput, PutBucketMetricsConfigurationOutput,
    },
};

use crate::store::Unit;

use super::{
    Buckets,
    error::Failure,
    listing::decode_token,
    rows::existing_bucket,
    settings::{from_xml, to_xml},
};

const MAX_LISTED: usize = 100;
/// One more than a page, to see whether there is more.
const LIMIT: i64 = 101;
const OPTIONAL_FIELDS: &[&str] = &[
    "Size",
    "LastModifiedDate",
    "StorageClass",
    "ETag",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ObjectLockRetainUntilDate",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
    "IntelligentTieringAccessTier",
    "BucketKeyStatus",
    "ChecksumAlgorithm",
    "ObjectAccessControlList",
    "ObjectOwner",
];

/// Answers the four operations of a kind of configuration.
macro_rules! configurations {
    ($kind:literal, $configuration:ident, $field:ident, $list_field:ident, $check:expr,
     $put:ident($put_input:ident) -> $put_output:ident, $get:ident($get_input:ident) -> $get_output:ident,
     $list:ident($list_input:ident) -> $list_output:ident, $delete:ident($delete_input:ident) -> $delete_output:ident) => {
        impl Buckets {
            pub(super) async fn $put(&self, request: S3Request<$put_input>) -> S3Result<S3Response<$put_output>> {
                let input = request.input;
                let check: fn(&str, &$configuration) -> Result<(), Failure> = $check;
                self.bucket(input.bucket.clone()).await?;
                check(&input.id, &input.$field)?;
                self.keep_by_id(input.bucket, $kind, input.id, to_xml(&input.$field)?).await?;
                Ok(S3Response::new($put_output::default()))
            }

            pub(super) async fn $get(&self, request: S3Request<$get_input>) -> S3Result<S3Response<$get_output>> {
                let text = self.kept_by_id(request.input.bucket, $kind, request.input.id).await?;
                Ok(S3Response::new($get_output { $field: Some(from_xml(&text)?) }))
            }

            pub(super) async fn $list(&self, request: S3Request<$list_input>) -> S3Result<S3Response<$list_output>> {
                let continuation_token = request.input.continuation_token;
                let after = continuation_token.as_deref().map(decode_token).transpose()?;
                let Page { texts, next } = self.page_of_kept(request.input.bucket, $kind, after).await?;
                let all = texts.iter().map(|text| from_xml(text)).collect::<Result<Vec<_>, _>>()?;
                let $list_field = Some(all).filter(|all| !all.is_empty());
                Ok(S3Response::new($list_output {
                    is_truncated: Some(next.is_some()),
                    next_continuation_token: next.map(|id| BASE64_URL_SAFE_NO_PAD.encode(id)),
                    continuation_token,
                    $list_field,
                }))
            }

            pub(super) async fn $delete(
                &self,
                request: S3Request<$delete_input>,
            ) -> S3Result<S3Response<$delete_output>> {
                self.forget_by_id(request.input.bucket, $kind, request.input.id).await?;
                Ok(S3Response::new($delete_output::default()))
            }
        }
    };
}

configurations!(
    "analytics", AnalyticsConfiguration, analytics_configuration, analytics_configuration_list,
    |id, configuration| same_id(id, &configuration.id),
    set_analytics(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput,
    analytics(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput,
    list_analytics(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput,
    remove_analytics(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput
);

configurations!(
    "tiering", IntelligentTieringConfiguration, intelligent_tiering_configuration,
    intelligent_tiering_configuration_list, |id, configuration| same_id(id, &configuration.id),
    set_tiering(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput,
    tiering(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput,
    list_tiering(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput,
    remove_tiering(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput
);

configurations!(
    "metrics", MetricsConfiguration, metrics_configuration, metrics_configuration_list,
    |id, configuration| same_id(id, &configuration.id),
    set_metrics(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput,
    metrics(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput,
    list_metrics(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput,
    remove_metrics(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput
);

configurations!(
    "inventory", InventoryConfiguration, inventory_configuration, inventory_configuration_list, check_inventory,
    set_inventory(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput,
    inventory(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput,
    list_inventory(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput,
    remove_inventory(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput
);

fn same_id(id: &str, inside: &str) -> Result<(), Failure> {
    if id == inside { Ok(()) } else { Err(Failure::MalformedXml) }
}

fn check_inventory(id: &str, configuration: &InventoryConfiguration) -> Result<(), Failure> {
    let destination = &configuration.destination.s3_bucket_destination;
    let known = matches!(destination.format.as_str(), "CSV" | "ORC" | "Parquet")
        && matches!(configuration.schedule.frequency.as_str(), "Daily" | "Weekly")
        && matches!(configuration.included_object_versions.as_str(), "All" | "Current")
        && configuration.optional_fields.iter().flatten().all(|field| OPTIONAL_FIELDS.contains(&field.as_str()));
    if !known {
        return Err(Failure::MalformedXml);
    }
    if configuration.id != id {
        return Err(Failure::special("IdMismatch", "Document ID does not match the specified configuration ID."));
    }
    if !destination.bucket.starts_with("arn:") {
        return Err(Failure::special("InvalidS3DestinationBucket", "Invalid bucket ARN."));
    }
    Ok(())
}

/// Configurations of a kind, and the id of the last of them where more come after it.
struct Page {
    texts: Vec<String>,
    next: Option<String>,
}

fn missing() -> Failure {
    let reason = "The specified configuration does not exist.";
    Failure::special("NoSuchConfiguration", reason).with_status(http::StatusCode::NOT_FOUND)
}

/// The name of a configuration among the settings of a bucket: of its kind, a slash, and the id.
fn name(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

impl Buckets {
    async fn keep_by_id(&self, bucket: String, kind: &'static str, id: String, text: String) -> Result<(), Failure> {
        let keep = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let sql = "INSERT OR REPLACE INTO bucket_setting (bucket_id, name, value) VALUES (?1, ?2, ?3)";
            unit.connection().prepare_cached(sql)?.execute(params![bucket.id, name(kind, &id), text])?;
            Ok(())
        };
        self.store.write(keep).await
    }

    async fn kept_by_id(&self, bucket: String, kind: &'static str, id: String) -> Result<String, Failure> {
        let read = move |connection: &Connection| {
            let bucket = existing_bucket(connection, &bucket)?;
            let sql = "SELECT value FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2";
            let fields = params![bucket.id, name(kind, &id)];
            connection.prepare_cached(sql)?.query_row(fields, |row| row.get(0)).optional()?.ok_or_else(missing)
        };
        self.store.read(read).await
    }

    /// As many as the service has on a page, after an id.
    async fn page_of_kept(&self, bucket: String, kind: &'static str, after: Option<String>) -> Result<Page, Failure> {
        let read = move |connection: &Connection| {
            let bucket = existing_bucket(connection, &bucket)?;
            // What comes after a slash is before what comes after a zero.
            let sql = "SELECT name, value FROM bucket_setting WHERE bucket_id = ?1 AND name > ?2 AND name < ?3 \
                       ORDER BY name LIMIT ?4";
            let after = name(kind, after.as_deref().unwrap_or_default());
            let fields = params![bucket.id, after, format!("{kind}0"), LIMIT];
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(fields, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut found = rows.collect::<Result<Vec<(String, String)>, _>>()?;
            let more = found.len() > MAX_LISTED;
            found.truncate(MAX_LISTED);
            let last = found.last().filter(|_| more).and_then(|(name, _)| name.split_once('/'));
            let next = last.map(|(_, id)| id.to_owned());
            Ok(Page { texts: found.into_iter().map(|(_, text)| text).collect(), next })
        };
        self.store.read(read).await
    }

    async fn forget_by_id(&self, bucket: String, kind: &'static str, id: String) -> Result<(), Failure> {
        let forget = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let sql = "DELETE FROM bucket_setting WHERE bucket_id = ?1 AND name = ?2";
            let gone = unit.connection().prepare_cached(sql)?.execute(params![bucket.id, name(kind, &id)])?;
            if gone == 0 { Err(missing()) } else { Ok(()) }
        };
        self.store.write(forget).await
    }
}
