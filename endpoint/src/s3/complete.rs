//! Completing an upload: its parts become an object as they lie, without being copied.

use std::{collections::HashMap, sync::Arc};

use rusqlite::Connection;
use s3s::{
    S3Request, S3Response, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart},
};

use crate::{clock::Millis, store::Unit};

use super::{
    Buckets,
    checksums::{self, Algorithm, Checksum, Kind, given_checksums, set_checksum},
    conditions::WriteConditions,
    encoding::encoded,
    encryption::set_encryption,
    error::Failure,
    events::{Change, Event, trace_header},
    expiry,
    facts::{Facts, etag},
    lock,
    multipart::{StoredPart, Upload, existing_upload, parts},
    rows::{Bucket, Object, Segment, existing_bucket},
    versions::{completed, conditions_hold, current, put_object},
};

/// The least size of every part but the last.
const MIN_PART: i64 = 5 * 1024 * 1024;

/// What a client says about the whole object.
struct Announced {
    checksums: [(Algorithm, Option<String>); 5],
    kind: Option<String>,
    size: Option<i64>,
}

/// What became of an upload.
struct Completed {
    object: Object,
    version: Option<String>,
    /// When it would expire.
    expiry: Option<String>,
}

impl Buckets {
    pub(super) async fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let announced = Announced {
            checksums: given_checksums!(request.input),
            kind: request.input.checksum_type.as_ref().map(|kind| kind.as_str().to_owned()),
            size: request.input.mpu_object_size,
        };
        let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let location = format!("http://{host}/{}/{}", request.input.bucket, encoded(&request.input.key));
        let trace_header = trace_header(&request.headers);
        let input = request.input;
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let (clock, names) = (Arc::clone(&self.clock), self.names.clone());
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let complete = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            // Sent again after an answer that was lost, it is answered again.
            if let Some(stored) = completed(unit.connection(), &bucket, &key, &input.upload_id)? {
                let expiry = expiry::of_object(unit.connection(), &bucket, &key, &stored.object)?;
                return Ok(Completed { version: bucket.shown(&stored.version), object: stored.object, expiry });
            }
            let upload = existing_upload(unit.connection(), &bucket.name, &key, &input.upload_id)?;
            announced.check_kind(&upload)?;
            let stored = parts(unit.connection(), &upload.id, 0, i32::MAX)?;
            let chosen = choose(&upload, &wanted, &stored)?;
            conditions_hold(unit.connection(), &bucket, &key, &conditions)?;
            no_conflict(unit.connection(), &bucket, &upload, &conditions)?;
            let mut object = joined(&upload, &chosen, clock.now());
            lock::inherit(unit.connection(), &bucket, &mut object.facts, object.modified)?;
            announced.check(&upload, &object)?;
            // Parts that were not chosen are no part of the object.
            for part in stored.iter().filter(|part| chosen.iter().all(|chosen| chosen.number != part.number)) {
                unit.discard(part.blob.clone());
            }
            unit.connection().prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([&upload.id])?;
            let version = finish(unit, &bucket, &key, &object)?;
            let event = Event::of_object(Change::Complete, &key, &object, version.clone()).traced(trace_header);
            event.send(unit, &names, &bucket)?;
            let expiry = expiry::of_object(unit.connection(), &bucket, &key, &object)?;
            Ok::<_, Failure>(Completed { object, version, expiry })
        };
        let Completed { object, version, expiry } = self.store.write(complete).await?;
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            location: Some(location),
            e_tag: Some(etag(&object.etag)),
            checksum_type: Some(ChecksumType::from_static(object.checksum.kind.name())),
            version_id: version,
            expiration: expiry,
            ..CompleteMultipartUploadOutput::default()
        };
        set_encryption!(output, object.facts);
        set_checksum!(output, Some(&object.checksum));
        Ok(S3Response::new(output))
    }
}

/// Whether what the conditions are about stayed as it was since the upload was begun.
fn no_conflict(
    connection: &Connection,
    bucket: &Bucket,
    upload: &Upload,
    conditions: &WriteConditions,
) -> Result<(), Failure> {
    if conditions.is_empty() {
        return Ok(());
    }
    let conflict = |condition| Err(Failure::ConditionConflict { condition, key: upload.key.clone() });
    match current(connection, bucket, &upload.key)? {
        None if upload.facts.replaces => conflict("If-None-Match"),
        Some(there) if there.object.modified > upload.initiated => conflict("If-Match"),
        _ => Ok(()),
    }
}

fn finish(unit: &mut Unit<'_>, bucket: &Bucket, key: &str, object: &Object) -> Result<Option<String>, Failure> {
    let version = put_object(unit, bucket, key, object, &None)?;
    Ok(bucket.shown(&version))
}

/// The stored parts that are wanted, in their order, each checked against what the client says of it.
fn choose(upload: &Upload, wanted: &[CompletedPart], stored: &[StoredPart]) -> Result<Vec<StoredPart>, Failure> {
    if wanted.is_empty() {
        return Err(Failure::InvalidRequest("You must specify at least one part".into()));
    }
    let by_number: HashMap<i32, &StoredPart> = stored.iter().map(|part| (part.number, part)).collect();
    let mut chosen: Vec<StoredPart> = Vec::with_capacity(wanted.len());
    for part in wanted {
        let number = part.part_number.unwrap_or_default();
        let tag = part.e_tag.as_ref().map(|tag| tag.value().to_owned()).unwrap_or_default();
        if chosen.last().is_some_and(|last| last.number >= number) {
            return Err(Failure::InvalidPartOrder(upload.id.clone()));
        }
        let refused = || Failure::InvalidPart { upload: upload.id.clone(), part: number, etag: tag.clone() };
        let found = by_number.get(&number).ok_or_else(refused)?;
        let mut given = given_checksums!(part).into_iter().filter_map(|(algorithm, value)| Some((algorithm, value?)));
        let other = given.clone().find(|(algorithm, _)| upload.chosen != Some(*algorithm));
        let value = given.find(|(algorithm, _)| upload.chosen == Some(*algorithm)).map(|(_, value)| value);
        if upload.chosen.is_none() && other.is_some() {
            return Err(refused());
        }
        if value.is_none() && upload.needs_part_checksums() {
            if let Some((other, _)) = other {
                let what = format!("{} you specified for part {number}", other.name().to_ascii_lowercase());
                return Err(Failure::BadDigest(what, "what we received"));
            }
            let name = found.checksum.algorithm.name().to_ascii_lowercase();
            return Err(Failure::InvalidRequest(format!(
                "The upload was created using a {name} checksum. The complete request must include the checksum for each \
                 part. It was missing for part {number} in the request."
            )));
        }
        if found.etag != tag || value.is_some_and(|value| value != found.checksum.value) {
            return Err(refused());
        }
        chosen.push((*found).clone());
    }
    let all_but_last = chosen.split_last().map_or(&[][..], |(_, others)| others);
    match all_but_last.iter().find(|part| part.size < MIN_PART) {
        Some(part) => {
            let etag = part.etag.clone();
            Err(Failure::EntityTooSmall { part: part.number, size: part.size, least: MIN_PART, etag })
        }
        None => Ok(chosen),
    }
}

fn joined(upload: &Upload, parts: &[StoredPart], now: Millis) -> Object {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&hex::decode(&part.etag).unwrap_or_default());
    }
    let sums: Vec<(String, u64)> =
        parts.iter().map(|part| (part.checksum.value.clone(), part.size.unsigned_abs())).collect();
    let segment = |part: &StoredPart| Segment {
        blob: part.blob.clone(),
        size: part.size.unsigned_abs(),
        checksum: upload.chosen.map(|_| part.checksum.value.clone()),
    };
    Object {
        size: sums.iter().map(|(_, size)| size).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified: now,
        facts: Facts { replaces: false, ..upload.facts.clone() },
        checksum: checksums::join(upload.algorithm(), upload.kind, &sums),
        tags: upload.tags.clone(),
        segments: parts.iter().map(segment).collect(),
        upload: Some(upload.id.clone()),
    }
}

impl Announced {
    fn check_kind(&self, upload: &Upload) -> Result<(), Failure> {
        let kind = upload.chosen.map(|_| upload.kind.name());
        if self.kind.is_none() || self.kind.as_deref() == kind {
            return Ok(());
        }
        Err(Failure::InvalidRequest(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            kind.unwrap_or("null")
        )))
    }

    fn check(&self, upload: &Upload, object: &Object) -> Result<(), Failure> {
        if let Some(size) = self.size.filter(|size| size.unsigned_abs() != object.size) {
            return Err(Failure::InvalidRequest(format!(
                "The provided 'x-amz-mp-object-size' header value {size} does not match what was computed: {}",
                object.size
            )));
        }
        let Checksum { algorithm, kind, value } = &object.checksum;
        let mut sent = self.checksums.iter().filter_map(|(given, value)| Some((given, value.as_ref()?)));
        let other = sent.clone().any(|(given, _)| given != algorithm);
        let same = |sent: &String| match kind {
            // Of an upload with a checksum of the whole, the kind is to be named as well.
            Kind::FullObject => sent == value && (upload.chosen.is_none() || self.kind.is_some()),
            // With or without the number of parts.
            Kind::Composite => sent == value || value.rsplit_once('-').is_some_and(|(sum, _)| sum == sent),
        };
        let fits = sent.find(|(given, _)| *given == algorithm).is_none_or(|(_, sent)| same(sent));
        if fits && !(other && upload.chosen.is_some()) {
            return Ok(());
        }
        let what = format!("{} you specified", algorithm.name().to_ascii_lowercase());
        Err(Failure::BadDigest(what, "the calculated checksum"))
    }
}
