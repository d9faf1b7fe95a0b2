//! Storing a photo's renditions.

use decouple_contract::Format;
use futures::future::try_join_all;

use crate::{
    photo::Encoded,
    record::{Rendition, renditions_prefix},
    store::{Content, Store, StoreError},
};

/// Stores renditions under keys that follow from the photo and the width alone, so that doing it twice changes nothing.
pub(super) async fn store(store: &Store, id: &str, encoded: Vec<Encoded>) -> Result<Vec<Rendition>, StoreError> {
    try_join_all(encoded.into_iter().map(|rendition| async move {
        let (extension, content_type) = kind(rendition.format);
        let key = format!("{}{}.{extension}", renditions_prefix(id), rendition.width);
        let bytes = rendition.data.len() as u64;
        store.put(&key, content_type, Content::Whole(rendition.data.into())).await?;
        Ok(Rendition {
            width: rendition.width,
            height: rendition.height,
            bytes,
            key,
            content_type: content_type.to_owned(),
        })
    }))
    .await
}

/// How files of a format are named, and how they are served.
fn kind(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Jpeg => ("jpg", "image/jpeg"),
        Format::Webp => ("webp", "image/webp"),
        Format::Avif => ("avif", "image/avif"),
    }
}
