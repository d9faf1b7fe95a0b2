//! What is known of an object, without its bytes and its metadata.

use http::{HeaderName, HeaderValue, Method, Request};
use s3s::{
    Body, S3Request, S3Response, S3Result,
    dto::{
        Checksum, ChecksumType, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
        ObjectAttributes, ObjectPart,
    },
};

use super::{
    Buckets,
    checksums::{self, Kind, set_checksum},
    encryption::customer_key,
    error::Failure,
    facts::timestamp,
    front::{DETAILS, FIRST},
    host::bucket_alone,
    listing::page_size,
    rows::{Object, signed},
    versions::existing_object,
};

const WANTED: HeaderName = HeaderName::from_static("x-amz-object-attributes");
const KNOWN: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

/// Refuses a request that says of no attribute that it wants it, in the service's words. The crate has others.
pub(super) fn check(request: &Request<Body>) -> Result<(), Failure> {
    let mut query = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let is_about_them = *request.method() == Method::GET
        && request.uri().query().is_some_and(|query| query.starts_with("attributes"))
        && query.any(|(name, _)| name == "attributes")
        && bucket_alone(request).is_none();
    let mut wanted = request.headers().get_all(WANTED).iter();
    if !is_about_them || wanted.any(|header| !header.as_bytes().trim_ascii().is_empty()) {
        return Ok(());
    }
    let reason =
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
    Err(Failure::InvalidRequest(reason.into()))
}

impl Buckets {
    pub(super) async fn attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        let wanted = names(&input.object_attributes);
        if let Some(unknown) = wanted.iter().find(|name| !KNOWN.contains(name)) {
            let reason = "Invalid attribute name specified.";
            return Err(Failure::argument("x-amz-object-attributes", *unknown, reason).into());
        }
        let max = page_size("max-parts", input.max_parts)?;
        let key = customer_key!(input);
        let after = input.part_number_marker.unwrap_or(0);
        let (bucket, stored) = self
            .store
            .read(move |connection| {
                existing_object(connection, &input.bucket, &input.key, input.version_id.as_deref(), "GET")
            })
            .await?;
        let object = &stored.object;
        key.check_opens(&object.facts)?;
        let wants = |name: &str| wanted.contains(&name);
        let output = GetObjectAttributesOutput {
            version_id: bucket.shown(&stored.version),
            last_modified: Some(timestamp(object.modified)),
            checksum: wants("Checksum").then(|| whole(object)),
            object_parts: (wants("ObjectParts") && object.in_parts()).then(|| parts(object, after, max)),
            ..GetObjectAttributesOutput::default()
        };
        let mut response = S3Response::new(output);
        // There are clients that count on the order, which is not that of the crate. The entity tag is without quotes here alone.
        let (class, size) = (object.facts.class(), object.size.to_string());
        let elements =
            [(FIRST, "ETag", &object.etag), (DETAILS, "StorageClass", &class), (DETAILS, "ObjectSize", &size)];
        for carrier in [FIRST, DETAILS] {
            let wanted = elements.iter().filter(|(in_header, name, _)| *in_header == carrier && wants(name));
            let text = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(wanted.map(|(_, name, value)| (name, value.as_str())))
                .finish();
            response.headers.insert(carrier, HeaderValue::try_from(text).expect("encoded text is ASCII"));
        }
        Ok(response)
    }
}

/// The names in the header, which some SDKs write as many values and others as one with commas.
fn names(values: &[ObjectAttributes]) -> Vec<&str> {
    values.iter().flat_map(|value| value.as_str().split(',')).map(str::trim).collect()
}

fn whole(object: &Object) -> Checksum {
    let mut output =
        Checksum { checksum_type: Some(ChecksumType::from_static(object.checksum.kind.name())), ..Checksum::default() };
    let mut checksum = object.checksum.clone();
    if let Some((sum, _)) = checksum.value.split_once('-') {
        // Here alone the service leaves the number of parts out.
        checksum.value = sum.to_owned();
    }
    set_checksum!(output, Some(&checksum));
    output
}

/// The parts that an object was uploaded in: their number, and where they have checksums of their own a page of them.
fn parts(object: &Object, after: i32, max: i32) -> GetObjectAttributesParts {
    let with_checksums = object.checksum.kind == Kind::Composite;
    let total = i32::try_from(object.parts()).unwrap_or(i32::MAX);
    let mut output = GetObjectAttributesParts { total_parts_count: Some(total), ..GetObjectAttributesParts::default() };
    if !with_checksums {
        return output;
    }
    let wanted = (1..).zip(&object.segments).filter(|(number, _)| *number > after);
    let page: Vec<ObjectPart> = wanted
        .take(usize::try_from(max).unwrap_or_default())
        .map(|(number, segment)| {
            let mut part =
                ObjectPart { part_number: Some(number), size: Some(signed(segment.size)), ..ObjectPart::default() };
            let checksum =
                segment.checksum.clone().map(|value| checksums::Checksum { value, ..object.checksum.clone() });
            set_checksum!(part, checksum);
            part
        })
        .collect();
    let last = page.last().and_then(|part| part.part_number).unwrap_or(after);
    output.is_truncated = Some(last < total);
    output.max_parts = Some(max);
    output.part_number_marker = Some(after);
    output.next_part_number_marker = Some(last);
    output.parts = Some(page);
    output
}
