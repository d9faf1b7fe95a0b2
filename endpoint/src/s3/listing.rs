//! Which objects there are: the operations that list them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
        ListObjectsV2Output, Object, ObjectVersion, ObjectVersionStorageClass,
    },
};

use super::{
    Buckets,
    encoding::Encoder,
    error::Failure,
    pages::{Listed, Page, Query, page},
};

/// The most keys on a page.
pub(super) const MAX_KEYS: i32 = 1000;
impl Buckets {
    pub(super) async fn list_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let max = page_size(input.max_keys)?;
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
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            start_after: input.start_after.map(|after| encode.text(after)),
            encoding_type: input.encoding_type,
            max_keys: Some(max),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next)),
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
        let max = page_size(input.max_keys)?;
        let after = input.marker.clone().unwrap_or_default();
        let page = self
            .page(query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max))
            .await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let output = ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            marker: Some(encode.text(input.marker.unwrap_or_default())),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter the last key is the marker, and clients know that.
            next_marker: page.next.filter(|_| input.delimiter.is_some()).map(|next| encode.text(next)),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
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

    /// Every object in its one version, for tools that empty a bucket with all versions.
    pub(super) async fn list_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let max = page_size(input.max_keys)?;
        let after = input.key_marker.clone().unwrap_or_default();
        let page = self
            .page(query(input.bucket.clone(), input.prefix.as_deref(), input.delimiter.as_deref(), after, max))
            .await?;
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let owner = self.owner();
        let version = |object: Listed| {
            let object = encode.object(object);
            ObjectVersion {
                e_tag: object.e_tag,
                key: object.key,
                last_modified: object.last_modified,
                size: object.size,
                owner: Some(owner.clone()),
                is_latest: Some(true),
                version_id: Some("null".to_owned()),
                storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
                ..ObjectVersion::default()
            }
        };
        let output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            key_marker: Some(encode.text(input.key_marker.unwrap_or_default())),
            is_truncated: Some(page.next.is_some()),
            next_version_id_marker: page.next.is_some().then(|| "null".to_owned()),
            next_key_marker: page.next.map(|next| encode.text(next)),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            max_keys: Some(max),
            common_prefixes: Some(encode.prefixes(page.prefixes)),
            versions: Some(page.objects.into_iter().map(version).collect()),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
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
    }
}

pub(super) fn page_size(max: Option<i32>) -> Result<i32, Failure> {
    match max.unwrap_or(MAX_KEYS) {
        max if max < 0 => Err(Failure::InvalidArgument(format!("the number of entries cannot be {max}"))),
        max => Ok(max.min(MAX_KEYS)),
    }
}

fn decode_token(token: &str) -> Result<String, Failure> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Failure::InvalidArgument("the continuation token is not one of this endpoint".into()))
}
