//! Completing an upload: its parts become an object as they lie, without being copied.

use std::{collections::HashMap, sync::Arc};

use s3s::{
    S3Request, S3Response, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart},
};

use crate::{clock::Millis, store::Unit};

use super::{
    Buckets,
    checksums::{self, Algorithm, Checksum, given_checksums, set_checksum},
    conditions::WriteConditions,
    error::Failure,
    facts::etag,
    multipart::{StoredPart, Upload, existing_upload, parts},
    rows::{Object, Segment, conditions_hold, existing_bucket, put_object},
};

/// The least size of every part but the last.
const MIN_PART: i64 = 5 * 1024 * 1024;

/// What a client says about the whole object.
struct Announced {
    checksums: [(Algorithm, Option<String>); 5],
    size: Option<i64>,
}

impl Buckets {
    pub(super) async fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let announced = Announced { checksums: given_checksums!(request.input), size: request.input.mpu_object_size };
        let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let location = format!("http://{host}/{}/{}", request.input.bucket, request.input.key);
        let input = request.input;
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let conditions = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let (clock, bucket, key) = (Arc::clone(&self.clock), input.bucket.clone(), input.key.clone());
        let complete = move |unit: &mut Unit<'_>| {
            let upload = existing_upload(unit.connection(), &bucket, &key, &input.upload_id)?;
            let stored = parts(unit.connection(), &upload.id, 0, i32::MAX)?;
            let chosen = choose(&wanted, &stored)?;
            conditions_hold(unit, &existing_bucket(unit.connection(), &bucket)?, &key, &conditions)?;
            let object = joined(&upload, &chosen, clock.now());
            announced.check(&object)?;
            // Parts that were not chosen are no part of the object.
            for part in stored.iter().filter(|part| chosen.iter().all(|chosen| chosen.number != part.number)) {
                unit.discard(part.blob.clone());
            }
            unit.connection().prepare_cached("DELETE FROM upload WHERE id = ?1")?.execute([&upload.id])?;
            put_object(unit, &existing_bucket(unit.connection(), &bucket)?, &key, &object)?;
            Ok::<_, Failure>((object.etag, object.checksum))
        };
        let (tag, checksum) = self.store.write(complete).await?;
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            location: Some(location),
            e_tag: Some(etag(&tag)),
            checksum_type: Some(ChecksumType::from_static(checksum.kind.name())),
            ..CompleteMultipartUploadOutput::default()
        };
        set_checksum!(output, Some(&checksum));
        Ok(S3Response::new(output))
    }
}

/// The stored parts that are wanted, in their order, each checked against what the client says of it.
fn choose(wanted: &[CompletedPart], stored: &[StoredPart]) -> Result<Vec<StoredPart>, Failure> {
    if wanted.is_empty() {
        return Err(Failure::InvalidRequest("at least one part must be given".into()));
    }
    let by_number: HashMap<i32, &StoredPart> = stored.iter().map(|part| (part.number, part)).collect();
    let mut chosen: Vec<StoredPart> = Vec::with_capacity(wanted.len());
    for part in wanted {
        let number = part.part_number.unwrap_or_default();
        let found = by_number.get(&number).ok_or(Failure::InvalidPart(number))?;
        if chosen.last().is_some_and(|last| last.number >= number) {
            return Err(Failure::InvalidPartOrder);
        }
        let same_tag = part.e_tag.as_ref().is_some_and(|tag| tag.value() == found.etag);
        let checksum = given_checksums!(part).into_iter().find(|(algorithm, _)| *algorithm == found.checksum.algorithm);
        let same_checksum = checksum.and_then(|(_, value)| value).is_none_or(|value| value == found.checksum.value);
        if !same_tag || !same_checksum {
            return Err(Failure::InvalidPart(number));
        }
        chosen.push((*found).clone());
    }
    let all_but_last = chosen.split_last().map_or(&[][..], |(_, others)| others);
    match all_but_last.iter().find(|part| part.size < MIN_PART) {
        Some(part) => Err(Failure::EntityTooSmall { part: part.number, size: part.size, least: MIN_PART }),
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
    Object {
        size: sums.iter().map(|(_, size)| size).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified: now,
        facts: upload.facts.clone(),
        checksum: checksums::join(upload.algorithm(), upload.kind, &sums),
        tags: upload.tags.clone(),
        segments: parts
            .iter()
            .map(|part| Segment { blob: part.blob.clone(), size: part.size.unsigned_abs() })
            .collect(),
    }
}

impl Announced {
    fn check(&self, object: &Object) -> Result<(), Failure> {
        if self.size.is_some_and(|size| size.unsigned_abs() != object.size) {
            return Err(Failure::InvalidRequest(format!("the parts have {} bytes together", object.size)));
        }
        let Checksum { algorithm, value, .. } = &object.checksum;
        let sent = self.checksums.iter().find(|(given, _)| given == algorithm).and_then(|(_, value)| value.as_ref());
        if sent.is_some_and(|sent| sent != value) { Err(Failure::BadDigest(algorithm.name().into())) } else { Ok(()) }
    }
}
