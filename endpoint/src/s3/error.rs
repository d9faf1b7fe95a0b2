//! What S3 refuses, and under which names it says so.

use std::io;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use crate::store::StoreError;

/// An error of S3.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the bucket {0:?} does not exist")]
    NoSuchBucket(String),
    #[error("the key {0:?} does not exist")]
    NoSuchKey(String),
    #[error("the upload {0:?} does not exist: it was completed or aborted, or was never made")]
    NoSuchUpload(String),
    #[error("the bucket {0:?} has no tags")]
    NoSuchTagSet(String),
    #[error("the bucket {0:?} is not empty: delete its objects and abort its uploads first")]
    BucketNotEmpty(String),
    #[error("the bucket {0:?} is already yours")]
    BucketAlreadyOwnedByYou(String),
    #[error("at least one of the preconditions did not hold: {0}")]
    PreconditionFailed(&'static str),
    #[error("not modified")]
    NotModified,
    #[error("the {0} sent does not match the one calculated from the content")]
    BadDigest(String),
    #[error("the {0} sent is not valid")]
    InvalidDigest(String),
    #[error("the content does not have the SHA-256 that was signed")]
    ContentSha256Mismatch,
    #[error("the content ended before its announced length")]
    IncompleteBody,
    #[error("the content could not be read: {0}")]
    Body(String),
    #[error("the part {0} was not found, or has another entity tag")]
    InvalidPart(i32),
    #[error("the parts are not in ascending order of their numbers")]
    InvalidPartOrder,
    #[error("the part {part} has {size} bytes, and every part but the last must have {least} at least")]
    EntityTooSmall { part: i32, size: i64, least: i64 },
    #[error("the content has more than {0} bytes")]
    EntityTooLarge(u64),
    #[error("{0}")]
    InvalidArgument(String),
    #[error("{0}")]
    InvalidRequest(String),
    #[error("the range is not within the object's {0} bytes")]
    InvalidRange(u64),
    #[error("the part number {0} is not one of the object's")]
    InvalidPartNumber(i32),
    #[error("{0}")]
    InvalidTag(String),
    #[error("the bucket does not allow access control lists")]
    AccessControlListNotSupported,
    #[error("{0} is not implemented on this endpoint")]
    NotImplemented(&'static str),
    #[error("{what} failed: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
        move |source| Failure::Io { what, source }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Store(error.into())
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        let code = match &failure {
            Failure::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
            Failure::NoSuchKey(_) => S3ErrorCode::NoSuchKey,
            Failure::NoSuchUpload(_) => S3ErrorCode::NoSuchUpload,
            Failure::NoSuchTagSet(_) => S3ErrorCode::NoSuchTagSet,
            Failure::BucketNotEmpty(_) => S3ErrorCode::BucketNotEmpty,
            Failure::BucketAlreadyOwnedByYou(_) => S3ErrorCode::BucketAlreadyOwnedByYou,
            Failure::PreconditionFailed(_) => S3ErrorCode::PreconditionFailed,
            Failure::NotModified => S3ErrorCode::NotModified,
            Failure::BadDigest(_) => S3ErrorCode::BadDigest,
            Failure::InvalidDigest(_) => S3ErrorCode::InvalidDigest,
            Failure::ContentSha256Mismatch => {
                return custom("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, &failure);
            }
            Failure::IncompleteBody | Failure::Body(_) => S3ErrorCode::IncompleteBody,
            Failure::InvalidPart(_) => S3ErrorCode::InvalidPart,
            Failure::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Failure::EntityTooSmall { .. } => S3ErrorCode::EntityTooSmall,
            Failure::EntityTooLarge(_) => S3ErrorCode::EntityTooLarge,
            Failure::InvalidArgument(_) => S3ErrorCode::InvalidArgument,
            Failure::InvalidRequest(_) => S3ErrorCode::InvalidRequest,
            Failure::InvalidRange(_) => S3ErrorCode::InvalidRange,
            Failure::InvalidPartNumber(_) => {
                return custom("InvalidPartNumber", StatusCode::RANGE_NOT_SATISFIABLE, &failure);
            }
            Failure::InvalidTag(_) => S3ErrorCode::InvalidTag,
            Failure::AccessControlListNotSupported => S3ErrorCode::AccessControlListNotSupported,
            Failure::NotImplemented(_) => S3ErrorCode::NotImplemented,
            Failure::Io { .. } | Failure::Store(_) => {
                tracing::error!(error = %failure, "a request failed inside");
                S3ErrorCode::InternalError
            }
        };
        S3Error::with_message(code, failure.to_string())
    }
}

fn custom(code: &'static str, status: StatusCode, failure: &Failure) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), failure.to_string());
    error.set_status_code(status);
    error
}
