//! A photo's pixels, in planes or in red, green and blue: what renditions are made from, whichever it is.

use fast_image_resize::FilterType;

use crate::{
    PhotoError,
    colour::ToSrgb,
    planes::{Coarse, Mirrored, Planes},
    resample::{Area, Resampler},
    rgb::Rgb,
    turn::Turn,
};

/// Pixels. Copies are cheap.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    Planes(Planes),
    Rgb(Rgb),
}

impl Picture {
    /// Size in pixels; a photo that was decoded at a fraction of its size may show a part of its last ones.
    #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
    pub(crate) fn extent(&self) -> (f64, f64) {
        match self {
            Self::Planes(planes) => planes.extent,
            Self::Rgb(rgb) => (rgb.width as f64, rgb.height as f64),
        }
    }

    fn whole(&self) -> Area {
        let (width, height) = self.extent();
        Area { left: 0.0, top: 0.0, width, height }
    }

    /// Returns this picture at another size.
    pub(crate) fn resize(&self, resampler: &mut Resampler, size: (usize, usize)) -> Result<Self, PhotoError> {
        match self {
            Self::Planes(planes) => planes.resize(resampler, size, Coarse::HALF, Mirrored::default()).map(Self::Planes),
            Self::Rgb(rgb) => rgb.resize(resampler, self.whole(), FilterType::Lanczos3, size).map(Self::Rgb),
        }
    }

    /// Returns an area as red, green and blue.
    pub(crate) fn patch(
        &self,
        resampler: &mut Resampler,
        area: Area,
        filter: FilterType,
        size: (usize, usize),
    ) -> Result<Rgb, PhotoError> {
        match self {
            Self::Planes(planes) => Rgb::from_planes(planes, resampler, area, filter, size),
            Self::Rgb(rgb) => rgb.resize(resampler, area, filter, size),
        }
    }
}

/// A photo as it was stored: perhaps on its side, perhaps in another colour space.
pub(crate) struct Stored {
    pub(crate) picture: Picture,
    pub(crate) turn: Turn,
    pub(crate) to_srgb: Option<ToSrgb>,
}

impl Stored {
    /// Resizes, converts and turns, in this order: a smaller picture is quicker to convert and to turn. `size` is upright.
    pub(crate) fn upright(&self, resampler: &mut Resampler, size: (usize, usize)) -> Result<Picture, PhotoError> {
        let size = self.turn.size(size);
        match &self.picture {
            Picture::Planes(planes) if self.to_srgb.is_none() => {
                let small = planes.resize(resampler, size, Coarse::HALF, self.turn.mirrored)?;
                Ok(Picture::Planes(self.turn.planes(small)))
            }
            picture => {
                let small = picture.patch(resampler, picture.whole(), FilterType::Lanczos3, size)?;
                Ok(Picture::Rgb(self.turn.rgb(self.in_srgb(small))))
            }
        }
    }

    /// Converts what was cut out of this photo, and puts it upright.
    pub(crate) fn finish(&self, patch: Rgb) -> Rgb {
        self.turn.rgb(self.in_srgb(patch))
    }

    fn in_srgb(&self, rgb: Rgb) -> Rgb {
        match &self.to_srgb {
            Some(conversion) => Rgb { data: conversion.convert(rgb.data), ..rgb },
            None => rgb,
        }
    }
}
