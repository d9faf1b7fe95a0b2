//! Which objects there are: the operations that list them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput,
        ListObjectsV2Input, ListObjectsV2Output, Object, OptionalObjectAttributes,
    },
};

use super::{
    Buckets,
    encoding::Encoder,
    error::Failure,
    facts::timestamp,
    pages::{Page, Query, What, page},
};

/// The most keys on a page.
pub(super) const MAX_KEYS: i32 = 1000;

impl Buckets {
    pub(super) async fn list_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let max = page_size("max-keys", input.max_keys)?;
        refuse_attributes(input.optional_object_attributes.as_deref())?;
        let token = input.continuation_token.as_deref().map(decode_token).transpose()?;
        let after = token.or_else(|| input.start_after.clone()).unwrap_or_default();
        let query = query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max);
        let page = self.page(query).await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = input.fetch_owner.unwrap_or(false).then(|| self.owner());
        let count = page.objects.len() + page.prefixes.len();
        let output = ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            delimiter: present(input.delimiter).map(|delimiter| encode.text(delimiter)),
            // What a token says comes before it.
            start_after: present(input.start_after)
                .filter(|_| input.continuation_token.is_none())
                .map(|after| encode.text(after)),
            encoding_type: input.encoding_type,
            max_keys: Some(max),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next.name)),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(
                page.objects
                    .into_iter()
                    .map(|object| Object { owner: owner.clone(), ..encode.object(object) })
                    .collect(),
            ),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_v1(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let max = page_size("max-keys", input.max_keys)?;
        refuse_attributes(input.optional_object_attributes.as_deref())?;
        let after = input.marker.clone().unwrap_or_default();
        let page = self
            .page(query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max))
            .await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let delimiter = present(input.delimiter);
        let output = ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            marker: Some(encode.text(input.marker.unwrap_or_default())),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter the last key is the marker, and clients know that.
            next_marker: page.next.filter(|_| delimiter.is_some()).map(|next| encode.text(next.name)),
            delimiter: delimiter.map(|delimiter| encode.text(delimiter)),
            encoding_type: input.encoding_type,
            max_keys: Some(max),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            contents: Some(
                page.objects
                    .into_iter()
                    .map(|object| Object { owner: Some(owner.clone()), ..encode.object(object) })
                    .collect(),
            ),
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let max = page_size("max-keys", input.max_keys)?;
        let after_version = present(input.version_id_marker.clone());
        if after_version.is_some() && input.key_marker.is_none() {
            let reason = "A version-id marker cannot be specified without a key marker.";
            return Err(Failure::argument("version-id-marker", after_version.unwrap_or_default(), reason).into());
        }
        let after = input.key_marker.clone().unwrap_or_default();
        let query = Query {
            after_version,
            what: What::Versions,
            ..query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max)
        };
        let page = self.page(query).await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let (next_key, next_version) = page.next.map_or((None, None), |next| (Some(next.name), next.version));
        let (markers, versions): (Vec<_>, Vec<_>) = page.objects.into_iter().partition(|version| version.marker);
        let marker = |entry: super::pages::Listed| DeleteMarkerEntry {
            is_latest: Some(entry.latest),
            key: Some(encode.text(entry.key)),
            last_modified: Some(timestamp(entry.modified)),
            owner: Some(owner.clone()),
            version_id: Some(entry.version),
        };
        let output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            key_marker: Some(encode.text(input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            is_truncated: Some(next_key.is_some()),
            next_version_id_marker: next_version,
            next_key_marker: next_key.map(|next| encode.text(next)),
            delimiter: present(input.delimiter).map(|delimiter| encode.text(delimiter)),
            max_keys: Some(max),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            versions: Some(versions.into_iter().map(|version| encode.version(version, &owner)).collect()),
            delete_markers: Some(markers.into_iter().map(marker).collect()),
            encoding_type: input.encoding_type,
            request_charged: None,
        };
        Ok(S3Response::new(output))
    }

    async fn page(&self, query: Query) -> Result<Page, Failure> {
        self.store.read(move |connection| page(connection, &query)).await
    }
}

fn query(bucket: String, prefix: Option<&str>, delimiter: Option<&str>, after: String, max: i32) -> Query {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Query {
        bucket,
        prefix: text(prefix),
        delimiter: text(delimiter),
        after,
        max: usize::try_from(max).unwrap_or_default(),
        ..Query::default()
    }
}

/// A parameter that was given, and not as the empty text.
pub(super) fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// How many entries a page has, from the parameter of that name.
pub(super) fn page_size(name: &'static str, max: Option<i32>) -> Result<i32, Failure> {
    match max.unwrap_or(MAX_KEYS) {
        max if max < 0 => {
            let reason = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(Failure::argument(name, max.to_string(), reason))
        }
        max => Ok(max.min(MAX_KEYS)),
    }
}

fn refuse_attributes(attributes: Option<&[OptionalObjectAttributes]>) -> Result<(), Failure> {
    match attributes.unwrap_or_default().iter().find(|attribute| attribute.as_str() != "RestoreStatus") {
        Some(unknown) => {
            let reason = "Invalid attribute name specified";
            Err(Failure::argument("x-amz-optional-object-attributes", unknown.as_str(), reason))
        }
        None => Ok(()),
    }
}

/// The place that a token stands for.
pub(super) fn decode_token(token: &str) -> Result<String, Failure> {
    let reason = "The continuation token provided is incorrect";
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|key| !key.is_empty()).ok_or_else(|| Failure::argument("continuation-token", "", reason))
}
