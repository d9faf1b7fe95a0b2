//! What outlives a stack: the bucket, and the database's last snapshot. Found, weighed, and removed when that is wanted.

use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_s3::{
    operation::{head_bucket::HeadBucketError, list_object_versions::ListObjectVersionsOutput},
    types::{Delete, ObjectIdentifier},
};

use super::{
    Error, Session,
    error::Call,
    events::{self, StackEvent},
    pace::Pace,
    stack::{self, Stack, StackResource},
};
use crate::{
    cloudformation::{BUCKET, CATALOG, OUTPUT_BUCKET},
    reporter::{Reporter, ReporterExt as _},
};

/// Pages of a thousand objects that are looked at to weigh a bucket. More would take longer than the answer is worth.
const WEIGHED_PAGES: usize = 20;
/// How often a bucket is emptied again where somebody still writes to it.
const ROUNDS: usize = 20;
/// List prices in us-east-1, USD a GB and month. They change; the magnitude does not.
const BUCKET_PRICE: f64 = 0.023;
const SNAPSHOT_PRICE: f64 = 0.095;

/// What is kept of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Name of the bucket, where it is the environment's own.
    pub bucket: Option<String>,
    /// Identifier of the database, by which its snapshots are found.
    pub database: Option<String>,
}

/// How much there is of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weight {
    /// Objects in the bucket.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether there is more that was not counted.
    pub more: bool,
    /// GB of the database or of its snapshot.
    pub database_gb: u64,
}

impl Weight {
    /// Returns what it costs to keep, in USD a month, about.
    #[expect(clippy::cast_precision_loss, reason = "a price has two digits")]
    pub fn monthly_cost(&self) -> f64 {
        (self.bytes as f64 / 1e9).mul_add(BUCKET_PRICE, self.database_gb as f64 * SNAPSHOT_PRICE)
    }
}

impl Data {
    /// Finds the data among a stack's resources.
    pub fn of(resources: &[StackResource]) -> Self {
        let physical = |id: &str| {
            let there = |one: &&StackResource| one.logical_id == id && !one.physical_id.is_empty();
            resources.iter().find(there).map(|one| one.physical_id.clone())
        };
        Self { bucket: physical(BUCKET), database: physical(CATALOG) }
    }

    /// Finds the data in what happened to a stack that is gone.
    fn told_of(events: &[StackEvent]) -> Self {
        let physical = |id: &str| {
            let there = |one: &&StackEvent| one.logical_id == id && !one.physical_id.is_empty();
            events.iter().rev().find(there).map(|one| one.physical_id.clone())
        };
        Self { bucket: physical(BUCKET), database: physical(CATALOG) }
    }
}

/// Finds what the deleted stacks of an environment have left, in no order. Stacks of its name are its own by their tags.
pub async fn left_by(session: &Session, name: &str, tags: &[(&str, &str)]) -> Result<Vec<Data>, Error> {
    let request = session.stacks().list_stacks().stack_status_filter(StackStatus::DeleteComplete);
    let mut pages = request.into_paginator().items().send();
    let mut left = Vec::new();
    while let Some(found) = pages.next().await {
        let found = found.map_err(Call::new("cloudformation", "ListStacks", name).failed())?;
        if found.stack_name() != Some(name) {
            continue;
        }
        let arn = found.stack_id().unwrap_or_default();
        let is_own = |stack: &Stack| tags.iter().all(|(tag, value)| stack.tags.get(*tag).is_some_and(|is| is == value));
        if stack::find(session, arn).await?.as_ref().is_some_and(is_own) {
            left.extend(left_by_stack(session, arn).await?);
        }
    }
    Ok(left)
}

async fn left_by_stack(session: &Session, arn: &str) -> Result<Option<Data>, Error> {
    let data = Data::told_of(&events::all(session, arn).await?);
    let bucket = match data.bucket {
        Some(bucket) if exists(session, &bucket).await? => Some(bucket),
        _ => None,
    };
    let database = match data.database {
        Some(database) if !snapshots(session, &database).await?.is_empty() => Some(database),
        _ => None,
    };
    let data = Data { bucket, database };
    Ok((data != Data::default()).then_some(data))
}

/// Removes what a stack leaves that was deleted while it was made, unless somebody has used it. Returns what is still there.
pub async fn remove_unused(session: &Session, arn: &str) -> Result<Option<Data>, Error> {
    let Some(mut left) = left_by_stack(session, arn).await? else { return Ok(None) };
    if let Some(bucket) = &left.bucket {
        let call = Call::new("s3", "DeleteBucket", bucket);
        match session.buckets().delete_bucket().bucket(bucket).send().await.map_err(call.failed()) {
            Ok(_) => left.bucket = None,
            Err(error) if error.has_code("NoSuchBucket") => left.bucket = None,
            Err(error) if error.has_code("BucketNotEmpty") => {}
            Err(error) => return Err(error),
        }
    }
    Ok((left != Data::default()).then_some(left))
}

/// Returns the name of the stack, among these, whose environment uses a bucket.
pub async fn user_of(session: &Session, bucket: &str, stacks: &[Stack]) -> Result<Option<String>, Error> {
    for stack in stacks {
        let uses = match stack.outputs.get(OUTPUT_BUCKET) {
            Some(used) => used == bucket,
            // It is being made, or was never made whole.
            None => stack::template(session, &stack.arn).await?.contains(&format!("\"{bucket}\"")),
        };
        if uses {
            return Ok(Some(stack.name.clone()));
        }
    }
    Ok(None)
}

async fn exists(session: &Session, bucket: &str) -> Result<bool, Error> {
    match session.buckets().head_bucket().bucket(bucket).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) => Ok(false),
        // Names are the whole world's: it may be somebody else's by now.
        Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 403) => Ok(false),
        Err(error) => Err(Call::new("s3", "ListBucket", bucket).failed()(error)),
    }
}

/// Tells how much there is. What may not be looked at weighs nothing.
pub async fn weigh(session: &Session, data: &Data) -> Weight {
    let mut weight = match &data.bucket {
        Some(bucket) => weigh_bucket(session, bucket).await.unwrap_or_default(),
        None => Weight::default(),
    };
    if let Some(database) = &data.database {
        weight.database_gb = database_gb(session, database).await.unwrap_or_default();
    }
    weight
}

async fn weigh_bucket(session: &Session, bucket: &str) -> Result<Weight, Error> {
    let mut pages = session.buckets().list_objects_v2().bucket(bucket).into_paginator().send();
    let mut weight = Weight::default();
    let mut looked = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(Call::new("s3", "ListBucket", bucket).failed())?;
        for object in page.contents() {
            weight.objects += 1;
            weight.bytes += object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        }
        looked += 1;
        if looked == WEIGHED_PAGES {
            weight.more = page.is_truncated().unwrap_or(false);
            break;
        }
    }
    Ok(weight)
}

async fn database_gb(session: &Session, database: &str) -> Result<u64, Error> {
    let call = Call::new("rds", "DescribeDBInstances", database);
    let request = session.databases().describe_db_instances().db_instance_identifier(database);
    let found = match request.send().await.map_err(call.failed()) {
        Ok(found) => found.db_instances().first().and_then(aws_sdk_rds::types::DbInstance::allocated_storage),
        Err(_) => snapshots(session, database).await?.first().map(|snapshot| snapshot.gb),
    };
    Ok(found.and_then(|gb| u64::try_from(gb).ok()).unwrap_or(0))
}

struct Snapshot {
    identifier: String,
    gb: i32,
}

async fn snapshots(session: &Session, database: &str) -> Result<Vec<Snapshot>, Error> {
    let request = session.databases().describe_db_snapshots().db_instance_identifier(database).snapshot_type("manual");
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(snapshot) = pages.next().await {
        let snapshot = snapshot.map_err(Call::new("rds", "DescribeDBSnapshots", database).failed())?;
        if let Some(identifier) = snapshot.db_snapshot_identifier() {
            let gb = snapshot.allocated_storage().unwrap_or(0);
            found.push(Snapshot { identifier: identifier.to_owned(), gb });
        }
    }
    Ok(found)
}

/// Removes everything from a bucket, all versions included, and again what comes late. A bucket that is gone is fine.
pub async fn empty(session: &Session, bucket: &str, reporter: &dyn Reporter) -> Result<(), Error> {
    let part = format!("bucket {bucket}");
    reporter.working(&part, "looking for what is in it");
    let mut removed = 0;
    let mut tell = |count: u64| {
        removed += count;
        reporter.working(&part, format!("{removed} objects removed, all versions counted"));
    };
    for _ in 0..ROUNDS {
        match round(session, bucket, &mut tell).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.has_code("NoSuchBucket") => break,
            Err(error) => return Err(error),
        }
    }
    reporter.done(&part, format!("empty: {removed} objects removed, all versions counted"));
    Ok(())
}

/// Removes what is there now, a thousand at a time, which is the most that one request takes. Returns how many went.
async fn round(session: &Session, bucket: &str, tell: &mut impl FnMut(u64)) -> Result<u64, Error> {
    let s3 = session.buckets();
    let mut removed = 0;
    let (mut key, mut version) = (None, None);
    loop {
        let call = Call::new("s3", "ListBucketVersions", bucket);
        let request = s3.list_object_versions().bucket(bucket).set_key_marker(key).set_version_id_marker(version);
        let page = request.send().await.map_err(call.failed())?;
        let count = remove(session, bucket, versions(&page)).await?;
        if count > 0 {
            tell(count);
        }
        removed += count;
        if !page.is_truncated().unwrap_or(false) {
            return Ok(removed);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// Returns the versions and delete markers of a page.
fn versions(page: &ListObjectVersionsOutput) -> Vec<ObjectIdentifier> {
    let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
    let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
    versions
        .chain(markers)
        .filter_map(|(key, version)| {
            let id = ObjectIdentifier::builder().key(key?).set_version_id(version.map(ToOwned::to_owned));
            id.build().ok()
        })
        .collect()
}

async fn remove(session: &Session, bucket: &str, ids: Vec<ObjectIdentifier>) -> Result<u64, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let count = ids.len() as u64;
    let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build().expect("objects were given");
    let call = Call::new("s3", "DeleteObjects", bucket);
    let answer = session.buckets().delete_objects().bucket(bucket).delete(delete).send().await;
    let answer = answer.map_err(call.failed())?;
    match answer.errors().first() {
        None => Ok(count),
        Some(error) => Err(Error::Refused {
            operation: "DeleteObjects",
            resource: format!("{bucket}/{}", error.key().unwrap_or_default()),
            code: error.code().unwrap_or_default().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
        }),
    }
}

/// Deletes a bucket, however late somebody wrote to it. One that is gone is fine.
pub async fn delete_bucket(session: &Session, bucket: &str, reporter: &dyn Reporter) -> Result<(), Error> {
    let mut pace = Pace::new();
    for _ in 0..ROUNDS {
        empty(session, bucket, reporter).await?;
        let call = Call::new("s3", "DeleteBucket", bucket);
        match session.buckets().delete_bucket().bucket(bucket).send().await.map_err(call.failed()) {
            Ok(_) => return Ok(()),
            Err(error) if error.has_code("NoSuchBucket") => return Ok(()),
            Err(error) if error.has_code("BucketNotEmpty") => pace.wait().await,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Refused {
        operation: "DeleteBucket",
        resource: bucket.to_owned(),
        code: "BucketNotEmpty".to_owned(),
        message: "somebody goes on writing to it".to_owned(),
    })
}

/// Deletes the snapshots of a database that is gone. Returns their names.
pub async fn delete_snapshots(session: &Session, database: &str) -> Result<Vec<String>, Error> {
    let mut deleted = Vec::new();
    for snapshot in snapshots(session, database).await? {
        let call = Call::new("rds", "DeleteDBSnapshot", &snapshot.identifier);
        let request = session.databases().delete_db_snapshot().db_snapshot_identifier(&snapshot.identifier);
        match request.send().await.map_err(call.failed()) {
            Ok(_) => deleted.push(snapshot.identifier),
            Err(error) if error.has_code("DBSnapshotNotFound") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}
