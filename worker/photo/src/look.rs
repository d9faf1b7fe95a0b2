//! What the model looks at: the middle of a photo, small and square.

use crate::{
    picture::{Picture, Stored},
    resample::{Area, Filter},
    rgb::Rgb,
};

/// Side of the square that the model looks at, in pixels.
pub const SIDE: usize = 224;
/// The model was trained on the middle of photos of this shorter side.
pub(crate) const OF: usize = 256;

/// The middle of a photo, upright and in sRGB: `SIDE` x `SIDE` pixels of three bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(Vec<u8>);

impl Look {
    /// Bytes of every look.
    pub const LENGTH: usize = SIDE * SIDE * 3;

    /// Takes the bytes of a look; none where there are more or fewer than [`Look::LENGTH`].
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == Self::LENGTH).then_some(Self(bytes))
    }

    /// Returns the bytes: red, green, blue, pixel by pixel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns what the model takes: `[1, 3, SIDE, SIDE]`, red, green, blue, each `(v - 127) / 128`.
    pub fn input(&self) -> Vec<f32> {
        let plane = SIDE * SIDE;
        let mut input = vec![0.0; plane * 3];
        for (index, pixel) in self.0.chunks_exact(3).enumerate() {
            for (channel, value) in pixel.iter().enumerate() {
                input[channel * plane + index] = (f32::from(*value) - 127.0) / 128.0;
            }
        }
        input
    }

    /// Looks at a picture that is upright and in sRGB.
    pub(crate) fn at(picture: &Picture) -> Self {
        Self(middle(picture).data.to_vec())
    }

    /// Looks at a picture as it was stored.
    pub(crate) fn at_stored(stored: &Stored) -> Self {
        Self(stored.finish(middle(&stored.picture)).data.to_vec())
    }
}

#[expect(clippy::cast_precision_loss, reason = "two small constants")]
fn middle(picture: &Picture) -> Rgb {
    let (width, height) = picture.extent();
    let side = (width.min(height) * SIDE as f64 / OF as f64).max(1.0).min(width.min(height));
    let area = Area { left: (width - side) / 2.0, top: (height - side) / 2.0, width: side, height: side };
    picture.patch(area, Filter::CatmullRom, (SIDE, SIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_looks_at_planes_of_the_middle() {
        for (width, height) in [(500, 300), (1, 1), (3, 900)] {
            let grey = Picture::Rgb(Rgb::new(width, height, vec![128; width * height * 3]));
            let input = Look::at(&grey).input();
            assert_eq!(input.len(), 3 * SIDE * SIDE);
            assert!(input.iter().all(|value| (value - 1.0 / 128.0).abs() < 0.01));
        }
    }
}
