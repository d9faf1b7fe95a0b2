//! The bucket: originals and renditions.

mod body;
mod content;
mod digest;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::StalledStreamProtectionConfig,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectOutput, put_object::builders::PutObjectFluentBuilder},
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use self::body::body;
pub(crate) use self::content::{Content, Pieces};
use crate::sdk::{answer_within, no_limit};

/// A download that gives nothing for so long is not waited for: it is tried again. One that nobody takes from is none.
const STALLED: Duration = Duration::from_secs(5);
/// What is stored from memory is stored within so long.
const STORED: Duration = Duration::from_secs(30);
/// A bucket that takes nothing of a stream for so long, or does not answer when it has all of it, is not waited for.
const TAKEN: Duration = Duration::from_secs(15);

/// Metadata of an original: the name that its sender has for it.
const NAME: &str = "filename";

/// The bucket said no, or nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no such object.
    #[error("there is no object {0}")]
    Missing(String),
    /// There is such an object already.
    #[error("there is an object {0} already")]
    Exists(String),
    /// The requested range lies outside of the object.
    #[error("the range lies outside of {0}")]
    Range(String),
    /// Anything else, which may pass.
    #[error("{operation} of {key} failed: {why}")]
    Failed { operation: &'static str, key: String, why: String },
}

/// The bucket.
#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    bucket: String,
}

impl Store {
    pub(crate) fn new(sdk: &SdkConfig, bucket: &str) -> Self {
        // What is stored comes in at the pace of who sends it, and that is watched where it comes in.
        let watched = StalledStreamProtectionConfig::enabled().upload_enabled(false).grace_period(STALLED).build();
        let mut config = aws_sdk_s3::config::Builder::from(sdk).stalled_stream_protection(watched);
        if sdk.endpoint_url().is_some() {
            // An endpoint of one name cannot have the bucket as a part of its name.
            config = config.force_path_style(true);
        }
        Self { client: Client::from_conf(config.build()), bucket: bucket.to_owned() }
    }

    /// Stores an object, whole or not at all.
    pub(crate) async fn put(&self, key: &str, content_type: &str, content: Content) -> Result<(), StoreError> {
        self.send("put", self.client.put_object(), key, content_type, content).await
    }

    /// Stores an object with the name that its sender has for it, where there is none of its key: of several at once, one does.
    pub(crate) async fn create(
        &self,
        key: &str,
        name: &str,
        content_type: &str,
        content: Content,
    ) -> Result<(), StoreError> {
        // Other characters than those of ASCII are not sure to come back as they are.
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
        let put = self.client.put_object().if_none_match("*").metadata(NAME, name);
        self.send("create", put, key, content_type, content).await
    }

    async fn send(
        &self,
        operation: &'static str,
        put: PutObjectFluentBuilder,
        key: &str,
        content_type: &str,
        content: Content,
    ) -> Result<(), StoreError> {
        let (body, taking) = body(content);
        let limit = if taking.is_some() { no_limit() } else { answer_within(STORED) };
        let put = put.bucket(&self.bucket).key(key).content_type(content_type).body(body);
        let put = put.customize().config_override(aws_sdk_s3::config::Builder::new().timeout_config(limit));
        let put = async { put.send().await.map(drop).map_err(|error| failed(operation, key, &error)) };
        let Some(taking) = taking else { return put.await };
        tokio::select! {
            put = put => put,
            () = taking.stalled(TAKEN) => {
                let why = format!("the bucket takes nothing for {} s", TAKEN.as_secs());
                Err(StoreError::Failed { operation, key: key.to_owned(), why })
            }
        }
    }

    /// Returns an object whole.
    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        collected(key, self.open(key, None).await?).await
    }

    /// Returns an object whole, and the name that its sender has for it.
    pub(crate) async fn get_named(&self, key: &str) -> Result<(Bytes, Option<String>), StoreError> {
        let mut object = self.open(key, None).await?;
        let name = object.metadata.as_mut().and_then(|metadata| metadata.remove(NAME));
        let name = name.and_then(|name| Some(percent_decode_str(&name).decode_utf8().ok()?.into_owned()));
        Ok((collected(key, object).await?, name))
    }

    /// Opens an object, or a range of it, for reading bit by bit.
    pub(crate) async fn open(&self, key: &str, range: Option<&str>) -> Result<GetObjectOutput, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).set_range(range.map(str::to_owned));
        get.send().await.map_err(|error| failed("get", key, &error))
    }

    /// Returns an object's entity tag.
    pub(crate) async fn etag(&self, key: &str) -> Result<String, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        Ok(head.map_err(|error| failed("head", key, &error))?.e_tag.unwrap_or_default())
    }

    /// Tells whether an object is there.
    pub(crate) async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) => match failed("head", key, &error) {
                StoreError::Missing(_) => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Tells whether the bucket can be read.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.client
            .list_objects_v2()
            .bucket(&self.bucket)
            .max_keys(1)
            .send()
            .await
            .map_err(|error| failed("list", &self.bucket, &error))?;
        Ok(())
    }

    /// Removes an object. One that is not there is fine.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| failed("delete", key, &error))?;
        Ok(())
    }

    /// Removes every object whose key begins so.
    pub(crate) async fn delete_all(&self, prefix: &str) -> Result<(), StoreError> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("list", prefix, &error))?;
            let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            let objects: Vec<ObjectIdentifier> =
                keys.filter_map(|key| ObjectIdentifier::builder().key(key).build().ok()).collect();
            if !objects.is_empty() {
                self.delete_these(prefix, objects).await?;
            }
        }
        Ok(())
    }

    async fn delete_these(&self, prefix: &str, objects: Vec<ObjectIdentifier>) -> Result<(), StoreError> {
        let refused = |key: String, why: String| StoreError::Failed { operation: "delete", key, why };
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| refused(prefix.to_owned(), error.to_string()))?;
        let deleted = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let left = deleted.map_err(|error| failed("delete", prefix, &error))?.errors.unwrap_or_default();
        match left.into_iter().next() {
            Some(error) => Err(refused(error.key.unwrap_or_default(), error.message.unwrap_or_default())),
            None => Ok(()),
        }
    }
}

async fn collected(key: &str, object: GetObjectOutput) -> Result<Bytes, StoreError> {
    let cut_off = |why: String| StoreError::Failed { operation: "get", key: key.to_owned(), why };
    Ok(object.body.collect().await.map_err(|error| cut_off(error.to_string()))?.into_bytes())
}

fn failed<E>(operation: &'static str, key: &str, error: &SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (error.code(), status) {
        (Some("NoSuchKey" | "NotFound"), _) | (None, Some(404)) => StoreError::Missing(key.to_owned()),
        (Some("PreconditionFailed"), _) | (_, Some(412)) => StoreError::Exists(key.to_owned()),
        (Some("InvalidRange"), _) | (_, Some(416)) => StoreError::Range(key.to_owned()),
        _ => StoreError::Failed { operation, key: key.to_owned(), why: DisplayErrorContext(error).to_string() },
    }
}
