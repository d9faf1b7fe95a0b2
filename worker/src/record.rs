//! A photo's record: what the catalog keeps and what the site shows.

pub(crate) use decouple_photo::model::Tag;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A photo.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) filename: String,
    pub(crate) content_type: String,
    pub(crate) bytes: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Milliseconds since 1970.
    pub(crate) uploaded_at: i64,
    pub(crate) resize: Part<Rendition>,
    pub(crate) tag: Part<Tag>,
}

/// How far one part of the work on a photo is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<T> {
    Pending,
    Done(Vec<T>),
    Failed(String),
    /// Its task is a dead letter. People see that it failed, and it is done all the same when the task comes again.
    GivenUp(String),
}

impl<T> Part<T> {
    /// Tells whether it is to be done when its task comes.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending | Self::GivenUp(_))
    }
}

/// A rendition as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rendition {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bytes: u64,
    pub(crate) key: String,
    pub(crate) content_type: String,
}

/// Tells whether a text can be a photo's id. Whatever cannot is in no catalog, and some of it breaks those that are asked for it.
pub(crate) fn is_id(text: &str) -> bool {
    uuid(text).is_some()
}

/// Tells whether another photo can come under an id once this one is removed: it is made of the key that its sender chose.
pub(crate) fn is_of_a_key(id: &str) -> bool {
    uuid(id).is_none_or(|id| id.get_version_num() != 7)
}

fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

/// Returns the key of a photo's original.
pub(crate) fn original_key(id: &str) -> String {
    format!("originals/{id}")
}

/// Returns what the keys of a photo's renditions begin with.
pub(crate) fn renditions_prefix(id: &str) -> String {
    format!("renditions/{id}/")
}

/// A record as the site shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    id: &'a str,
    filename: &'a str,
    content_type: &'a str,
    bytes: u64,
    width: u32,
    height: u32,
    uploaded_at: String,
    resize: ShownResize<'a>,
    tag: ShownTag<'a>,
}

#[derive(Debug, Serialize)]
struct ShownResize<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    renditions: Vec<ShownRendition>,
}

#[derive(Debug, Serialize)]
struct ShownRendition {
    width: u32,
    height: u32,
    bytes: u64,
    url: String,
}

#[derive(Debug, Serialize)]
struct ShownTag<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    tags: &'a [Tag],
}

impl<T> Part<T> {
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done(_) => "done",
            Self::Failed(_) | Self::GivenUp(_) => "failed",
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        if let Self::Failed(reason) | Self::GivenUp(reason) = self { Some(reason) } else { None }
    }

    pub(crate) fn results(&self) -> &[T] {
        if let Self::Done(results) = self { results } else { &[] }
    }
}

impl Image {
    /// Returns the record as the site shows it.
    pub(crate) fn shown(&self) -> Shown<'_> {
        let renditions = self.resize.results().iter().map(|rendition| ShownRendition {
            width: rendition.width,
            height: rendition.height,
            bytes: rendition.bytes,
            url: format!("/images/{}/renditions/{}", self.id, rendition.width),
        });
        Shown {
            id: &self.id,
            filename: &self.filename,
            content_type: &self.content_type,
            bytes: self.bytes,
            width: self.width,
            height: self.height,
            uploaded_at: timestamp(self.uploaded_at),
            resize: ShownResize {
                state: self.resize.state(),
                reason: self.resize.reason(),
                renditions: renditions.collect(),
            },
            tag: ShownTag { state: self.tag.state(), reason: self.tag.reason(), tags: self.tag.results() },
        }
    }
}

/// Writes milliseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn timestamp(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way() {
        for id in [Uuid::now_v7(), Uuid::new_v5(&Uuid::NAMESPACE_URL, b"k")] {
            assert!(is_id(&id.to_string()));
            assert_eq!(is_of_a_key(&id.to_string()), id.get_version_num() == 5);
            assert!(!is_id(&id.to_string().to_uppercase()) && !is_id(&id.simple().to_string()));
        }
        for odd in ["", "x", "\0", "../etc/passwd"] {
            assert!(!is_id(odd), "{odd}");
        }
    }
}
