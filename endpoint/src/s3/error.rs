//! What S3 refuses, and under which names and in which words AWS says so.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3ErrorCode};

use crate::{clock::Millis, store::StoreError};

use super::{
    facts::{etag, http_date, timestamp},
    front::DETAILS,
};

/// An error of S3.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("The specified bucket does not exist")]
    NoSuchBucket(String),
    #[error("The specified key does not exist.")]
    NoSuchKey(String),
    #[error("The specified version does not exist.")]
    NoSuchVersion { key: String, version: String },
    /// The newest version of the key is a delete marker.
    #[error("The specified key does not exist.")]
    Deleted { key: String, version: String, modified: Millis },
    /// The version that was asked for is a delete marker.
    #[error("The specified method is not allowed against this resource.")]
    DeleteMarker { version: String, modified: Millis, method: &'static str },
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload(String),
    #[error("{message}")]
    NoSuchSetting { code: &'static str, message: &'static str, bucket: String },
    #[error(
        "The bucket you tried to delete is not empty{}",
        if *versioned { ". You must delete all versions in the bucket." } else { "" }
    )]
    BucketNotEmpty { bucket: String, versioned: bool },
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou(String),
    #[error("The specified location-constraint is not valid")]
    InvalidLocationConstraint(String),
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed(&'static str),
    /// What a condition is about has changed since the upload was begun.
    #[error("The conditional request cannot succeed due to a conflicting operation against this resource.")]
    ConditionConflict { condition: &'static str, key: String },
    #[error("Not Modified")]
    NotModified { etag: String, modified: Millis },
    #[error("The {0} did not match {1}.")]
    BadDigest(String, &'static str),
    #[error("The Content-MD5 you specified was invalid.")]
    InvalidMd5(String),
    #[error("The Content-MD5 you specified did not match what we received.")]
    Md5Mismatch { sent: String, calculated: [u8; 16] },
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentSha256Mismatch,
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    IncompleteBody,
    #[error(
        "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."
    )]
    RequestTimeout,
    #[error("The content could not be read: {0}")]
    Body(String),
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart { upload: String, part: i32, etag: String },
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder(String),
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall { part: i32, size: i64, least: i64, etag: String },
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge { size: u64, most: u64 },
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge { size: usize, most: usize },
    #[error("{message}")]
    InvalidArgument { message: String, name: String, value: String },
    /// Destinations of events, each with what is wrong with it.
    #[error("Unable to validate the following destination configurations")]
    UnreachableDestinations(Vec<(String, String)>),
    #[error("{0}")]
    InvalidRequest(String),
    #[error("The requested range is not satisfiable")]
    InvalidRange { range: String, size: u64 },
    #[error("The requested partnumber is not satisfiable")]
    InvalidPartNumber { part: i32, parts: usize },
    #[error("{message}")]
    InvalidTag { message: &'static str, key: String, value: Option<String> },
    #[error("{0}")]
    BadRequest(String),
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    MalformedXml,
    #[error("{0}")]
    MalformedPolicy(&'static str),
    #[error("{0}")]
    AccessDenied(String),
    #[error("The AWS Access Key Id you provided does not exist in our records.")]
    InvalidAccessKeyId(String),
    #[error("{0}")]
    InvalidPolicyDocument(String),
    #[error("{0}")]
    MalformedPost(&'static str),
    #[error("Your POST request fields preceding the upload file was too large.")]
    FieldsTooLarge,
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    ContentTooSmall { size: u64, least: u64 },
    #[error("Your key is too long")]
    KeyTooLong(usize),
    /// What a page of another origin asks for, and no rule allows.
    #[error("{reason}")]
    AccessForbidden { reason: &'static str, method: String, resource: &'static str },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    SignatureDoesNotMatch,
    #[error("The storage class you specified is not valid")]
    InvalidStorageClass(String),
    #[error("{message}")]
    InvalidObjectState { class: String, message: &'static str },
    /// An error of one operation alone.
    #[error("{message}")]
    Special { code: &'static str, status: StatusCode, message: String, details: Vec<(&'static str, String)> },
    #[error("The bucket does not allow ACLs")]
    AccessControlListNotSupported,
    #[error("A header you provided implies functionality that is not implemented")]
    HeaderNotImplemented { header: &'static str, reason: &'static str },
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

    pub(super) fn argument(name: impl Into<String>, value: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure::InvalidArgument { message: message.into(), name: name.into(), value: value.into() }
    }

    /// An error of one operation alone, with the status 400.
    pub(super) fn special(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::Special { code, status: StatusCode::BAD_REQUEST, message: message.into(), details: Vec::new() }
    }

    /// The same error with another status.
    pub(super) fn with_status(mut self, wanted: StatusCode) -> Failure {
        if let Failure::Special { status, .. } = &mut self {
            *status = wanted;
        }
        self
    }

    /// The same error with one element more.
    pub(super) fn with_detail(mut self, name: &'static str, value: impl Into<String>) -> Failure {
        if let Failure::Special { details, .. } = &mut self {
            details.push((name, value.into()));
        }
        self
    }

    pub(super) fn version_id(value: &str) -> Failure {
        Failure::argument("versionId", value, "Invalid version id specified")
    }

    /// The code of the error.
    fn code(&self) -> (&'static str, StatusCode) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Failure::NoSuchBucket(_) => ("NoSuchBucket", StatusCode::NOT_FOUND),
            Failure::NoSuchKey(_) | Failure::Deleted { .. } => ("NoSuchKey", StatusCode::NOT_FOUND),
            Failure::NoSuchVersion { .. } => ("NoSuchVersion", StatusCode::NOT_FOUND),
            Failure::DeleteMarker { .. } => ("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED),
            Failure::NoSuchUpload(_) => ("NoSuchUpload", StatusCode::NOT_FOUND),
            Failure::NoSuchSetting { code, .. } => (code, StatusCode::NOT_FOUND),
            Failure::BucketNotEmpty { .. } => ("BucketNotEmpty", StatusCode::CONFLICT),
            Failure::BucketAlreadyOwnedByYou(_) => ("BucketAlreadyOwnedByYou", StatusCode::CONFLICT),
            Failure::InvalidLocationConstraint(_) => ("InvalidLocationConstraint", BAD),
            Failure::PreconditionFailed(_) => ("PreconditionFailed", StatusCode::PRECONDITION_FAILED),
            Failure::NotModified { .. } => ("NotModified", StatusCode::NOT_MODIFIED),
            Failure::ConditionConflict { .. } => ("ConditionalRequestConflict", StatusCode::CONFLICT),
            Failure::BadDigest(..) | Failure::Md5Mismatch { .. } => ("BadDigest", BAD),
            Failure::InvalidMd5(_) => ("InvalidDigest", BAD),
            Failure::ContentSha256Mismatch => ("XAmzContentSHA256Mismatch", BAD),
            Failure::IncompleteBody | Failure::Body(_) => ("IncompleteBody", BAD),
            Failure::RequestTimeout => ("RequestTimeout", BAD),
            Failure::InvalidPart { .. } => ("InvalidPart", BAD),
            Failure::InvalidPartOrder(_) => ("InvalidPartOrder", BAD),
            Failure::EntityTooSmall { .. } | Failure::ContentTooSmall { .. } => ("EntityTooSmall", BAD),
            Failure::EntityTooLarge { .. } => ("EntityTooLarge", BAD),
            Failure::MetadataTooLarge { .. } => ("MetadataTooLarge", BAD),
            Failure::InvalidArgument { .. } | Failure::UnreachableDestinations(_) => ("InvalidArgument", BAD),
            Failure::InvalidRequest(_) => ("InvalidRequest", BAD),
            Failure::InvalidRange { .. } => ("InvalidRange", StatusCode::RANGE_NOT_SATISFIABLE),
            Failure::InvalidPartNumber { .. } => ("InvalidPartNumber", StatusCode::RANGE_NOT_SATISFIABLE),
            Failure::InvalidTag { .. } => ("InvalidTag", BAD),
            Failure::BadRequest(_) => ("BadRequest", BAD),
            Failure::MalformedXml => ("MalformedXML", BAD),
            Failure::MalformedPolicy(_) => ("MalformedPolicy", BAD),
            Failure::AccessDenied(_) => ("AccessDenied", StatusCode::FORBIDDEN),
            Failure::InvalidAccessKeyId(_) => ("InvalidAccessKeyId", StatusCode::FORBIDDEN),
            Failure::InvalidPolicyDocument(_) => ("InvalidPolicyDocument", BAD),
            Failure::MalformedPost(_) => ("MalformedPOSTRequest", BAD),
            Failure::FieldsTooLarge => ("MaxPostPreDataLengthExceeded", BAD),
            Failure::KeyTooLong(_) => ("KeyTooLongError", BAD),
            Failure::AccessForbidden { .. } => ("AccessForbidden", StatusCode::FORBIDDEN),
            Failure::SignatureDoesNotMatch => ("SignatureDoesNotMatch", StatusCode::FORBIDDEN),
            Failure::InvalidStorageClass(_) => ("InvalidStorageClass", BAD),
            Failure::InvalidObjectState { .. } => ("InvalidObjectState", StatusCode::FORBIDDEN),
            Failure::Special { code, status, .. } => (code, *status),
            Failure::AccessControlListNotSupported => ("AccessControlListNotSupported", BAD),
            Failure::HeaderNotImplemented { .. } | Failure::NotImplemented(_) => {
                ("NotImplemented", StatusCode::NOT_IMPLEMENTED)
            }
            Failure::Io { .. } | Failure::Store(_) => {
                tracing::error!(error = %self, "a request failed inside");
                ("InternalError", StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The elements that AWS adds to the message.
    fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Failure::NoSuchBucket(bucket)
            | Failure::BucketNotEmpty { bucket, .. }
            | Failure::BucketAlreadyOwnedByYou(bucket)
            | Failure::NoSuchSetting { bucket, .. } => vec![("BucketName", bucket.clone())],
            Failure::NoSuchKey(key) | Failure::Deleted { key, .. } => vec![("Key", key.clone())],
            Failure::NoSuchVersion { key, version } => vec![("Key", key.clone()), ("VersionId", version.clone())],
            Failure::DeleteMarker { method, .. } => {
                vec![("Method", (*method).to_owned()), ("ResourceType", "DeleteMarker".into())]
            }
            Failure::InvalidAccessKeyId(key) => vec![("AWSAccessKeyId", key.clone())],
            Failure::ContentTooSmall { size, least } => {
                vec![("ProposedSize", size.to_string()), ("MinSizeAllowed", least.to_string())]
            }
            Failure::KeyTooLong(size) => vec![("Size", size.to_string()), ("MaxSizeAllowed", "1024".into())],
            Failure::AccessForbidden { method, resource, .. } => {
                vec![("Method", method.clone()), ("ResourceType", (*resource).to_owned())]
            }
            Failure::NoSuchUpload(upload) | Failure::InvalidPartOrder(upload) => vec![("UploadId", upload.clone())],
            Failure::InvalidLocationConstraint(region) => vec![("LocationConstraint", region.clone())],
            Failure::PreconditionFailed(condition) => vec![("Condition", (*condition).to_owned())],
            Failure::ConditionConflict { condition, key } => {
                vec![("Condition", (*condition).to_owned()), ("Key", key.clone())]
            }
            Failure::InvalidMd5(value) => vec![("Content-MD5", value.clone())],
            Failure::Md5Mismatch { sent, calculated } => {
                vec![("ExpectedDigest", sent.clone()), ("CalculatedDigest", BASE64_STANDARD.encode(calculated))]
            }
            Failure::InvalidPart { upload, part, etag } => {
                vec![("UploadId", upload.clone()), ("PartNumber", part.to_string()), ("ETag", etag.clone())]
            }
            Failure::EntityTooSmall { part, size, least, etag } => vec![
                ("ProposedSize", size.to_string()),
                ("MinSizeAllowed", least.to_string()),
                ("PartNumber", part.to_string()),
                ("ETag", etag.clone()),
            ],
            Failure::EntityTooLarge { size, most } => {
                vec![("ProposedSize", size.to_string()), ("MaxSizeAllowed", most.to_string())]
            }
            Failure::MetadataTooLarge { size, most } => {
                vec![("Size", size.to_string()), ("MaxSizeAllowed", most.to_string())]
            }
            Failure::InvalidArgument { name, value, .. } => {
                let value = Some(value).filter(|value| !value.is_empty());
                let value = value.map(|value| ("ArgumentValue", value.clone()));
                std::iter::once(("ArgumentName", name.clone())).chain(value).collect()
            }
            Failure::Special { details, .. } => details.clone(),
            Failure::InvalidRange { range, size } => {
                vec![("RangeRequested", range.clone()), ("ActualObjectSize", size.to_string())]
            }
            Failure::InvalidPartNumber { part, parts } => {
                vec![("PartNumberRequested", part.to_string()), ("ActualPartCount", parts.to_string())]
            }
            Failure::InvalidTag { key, value, .. } => {
                let value = value.clone().map(|value| ("TagValue", value));
                std::iter::once(("TagKey", key.clone())).chain(value).collect()
            }
            Failure::InvalidStorageClass(class) => vec![("StorageClassRequested", class.clone())],
            Failure::InvalidObjectState { class, .. } => vec![("StorageClass", class.clone())],
            Failure::HeaderNotImplemented { header, reason } => {
                vec![("Header", (*header).to_owned()), ("additionalMessage", (*reason).to_owned())]
            }
            _ => Vec::new(),
        }
    }

    /// Elements that are numbered.
    fn destinations(&self) -> Vec<(String, String)> {
        let Failure::UnreachableDestinations(unreachable) = self else { return Vec::new() };
        let numbered = (1..).zip(unreachable).flat_map(|(number, (name, value))| {
            [(format!("ArgumentName{number}"), name.clone()), (format!("ArgumentValue{number}"), value.clone())]
        });
        numbered.collect()
    }

    /// The headers that AWS adds, and the details for [`super::front`].
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let (details, destinations) = (self.details(), self.destinations());
        if !details.is_empty() || !destinations.is_empty() {
            // The crate that writes the answer knows only code and message; the front writes the rest.
            let mut encoded = form_urlencoded::Serializer::new(String::new());
            encoded.extend_pairs(details).extend_pairs(destinations);
            if let Ok(value) = HeaderValue::try_from(encoded.finish()) {
                headers.insert(DETAILS, value);
            }
        }
        let mut add = |name: HeaderName, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        };
        let modified = |modified: &Millis| http_date(&timestamp(*modified));
        match self {
            Failure::NotModified { etag: tag, modified: at } => {
                let tag = etag(tag).to_http_header().ok().and_then(|tag| tag.to_str().ok().map(str::to_owned));
                add(header::ETAG, tag);
                add(header::LAST_MODIFIED, modified(at));
            }
            Failure::InvalidRange { size, .. } => add(header::CONTENT_RANGE, Some(format!("bytes */{size}"))),
            Failure::Deleted { version, .. } => {
                add(super::front::DELETE_MARKER, Some("true".into()));
                add(super::front::VERSION_ID, Some(version.clone()));
            }
            Failure::DeleteMarker { version, modified: at, .. } => {
                add(super::front::DELETE_MARKER, Some("true".into()));
                add(super::front::VERSION_ID, Some(version.clone()));
                add(header::LAST_MODIFIED, modified(at));
                add(header::ALLOW, Some("DELETE".into()));
            }
            _ => {}
        }
        headers
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Store(error.into())
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        let (code, status) = failure.code();
        let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::Custom(code.into()));
        let mut error = S3Error::with_message(code, failure.to_string());
        error.set_status_code(status);
        error.set_headers(failure.headers());
        error
    }
}

/// The message of an error that the protocol's crate found and has no words for.
pub(super) fn message_of(code: &str) -> &'static str {
    match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        "AccessDenied" => "Access Denied",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "RequestTimeTooSkewed" => "The difference between the request time and the current time is too large.",
        "InvalidArgument" => "Invalid Argument",
        "InvalidRequest" => "Invalid Request",
        _ => "We encountered an internal error. Please try again.",
    }
}
