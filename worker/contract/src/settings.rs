//! Settings that a blueprint gives to the worker, each as JSON in one environment variable.

use std::{fmt, str::FromStr};

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
    /// What shows through where a photo is transparent.
    #[serde(default, skip_serializing_if = "Colour::is_white")]
    pub background: Colour,
    /// What becomes of what moves.
    #[serde(default, skip_serializing_if = "Animation::is_first_frame")]
    pub animation: Animation,
}

impl Default for Renditions {
    fn default() -> Self {
        Self {
            widths: vec![2048, 1080, 480, 160],
            quality: 80,
            format: Format::Jpeg,
            background: Colour::WHITE,
            animation: Animation::FirstFrame,
        }
    }
}

/// File format of renditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// WebP, lossy.
    Webp,
    /// AVIF, lossy.
    Avif,
}

/// What becomes of a photo that moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Animation {
    /// Its first frame is a photo as any other.
    #[default]
    FirstFrame,
    /// Renditions move too. They are WebP, whatever the format of the others.
    Keep,
}

impl Animation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_first_frame(&self) -> bool {
        *self == Self::FirstFrame
    }
}

/// A colour in sRGB, written as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_white(&self) -> bool {
        *self == Self::WHITE
    }
}

impl Default for Colour {
    fn default() -> Self {
        Self::WHITE
    }
}

/// A text that is no colour.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a colour such as #ffffff")]
pub struct ParseColourError(String);

impl FromStr for Colour {
    type Err = ParseColourError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseColourError(text.to_owned());
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or_else(error)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| error())?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl TryFrom<String> for Colour {
    type Error = ParseColourError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_reads_back_and_what_is_none_is_told() {
        assert_eq!("#0Ac8ff".parse(), Ok(Colour([10, 200, 255])));
        assert_eq!(Colour([10, 200, 255]).to_string(), "#0ac8ff");
        for broken in ["", "white", "#fff", "0ac8ff", "#0ac8fg", "#+ac8ff", "#é1234"] {
            assert!(broken.parse::<Colour>().is_err(), "{broken}");
        }
    }

    #[test]
    fn what_settings_leave_out_is_white_and_does_not_move() {
        let text = r#"{"widths":[9],"quality":8,"format":"webp"}"#;
        let mut read: Renditions = serde_json::from_str(text).unwrap();
        assert_eq!((read.background, read.animation), (Colour::WHITE, Animation::FirstFrame));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        read.animation = Animation::Keep;
        assert!(serde_json::to_string(&read).unwrap().ends_with(r#","animation":"keep"}"#));
    }
}
