//! Settings that a blueprint gives to the worker, each as JSON in one environment variable.

use serde::{Deserialize, Serialize};

/// The sizes in which every photo is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renditions {
    /// Widths in pixels. A photo is never enlarged: a width above its own gives a rendition at the photo's width.
    pub widths: Vec<u32>,
    /// Quality from 1 to 100.
    pub quality: u8,
    /// File format.
    pub format: Format,
}

impl Default for Renditions {
    fn default() -> Self {
        Self { widths: vec![2048, 1080, 480, 160], quality: 80, format: Format::Jpeg }
    }
}

/// File format of renditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG; transparency is flattened onto white.
    Jpeg,
    /// WebP, lossy.
    Webp,
}

/// How photos are tagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagging {
    /// Path of an ONNX model; the built-in one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Path of the model's labels (tab-separated: index, id, label, synonyms, broader terms); the built-in ones where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Least score of a tag, from 0 to 1.
    pub threshold: f32,
    /// Most tags a photo gets.
    pub max_tags: u32,
}

impl Default for Tagging {
    fn default() -> Self {
        Self { model: None, labels: None, threshold: 0.1, max_tags: 5 }
    }
}
