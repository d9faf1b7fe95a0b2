//! A photo's pixels, in planes or in red, green and blue: what renditions are made from, whichever it is.

use std::sync::Arc;

use crate::{
    colour::ToSrgb,
    planes::{Coarse, Mirrored, Planes},
    resample::{Area, Filter},
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
    pub(crate) fn extent(&self) -> (f64, f64) {
        match self {
            Self::Planes(planes) => planes.extent,
            Self::Rgb(rgb) => rgb.extent,
        }
    }

    fn whole(&self) -> Area {
        let (width, height) = self.extent();
        Area { left: 0.0, top: 0.0, width, height }
    }

    /// Returns this picture at another size.
    pub(crate) fn resize(&self, size: (usize, usize)) -> Self {
        match self {
            Self::Planes(planes) => Self::Planes(planes.resize(size, Coarse::HALF, Mirrored::default())),
            Self::Rgb(rgb) => Self::Rgb(rgb.resize(self.whole(), Filter::Lanczos3, size)),
        }
    }

    /// Returns an area as red, green and blue.
    pub(crate) fn patch(&self, area: Area, filter: Filter, size: (usize, usize)) -> Rgb {
        match self {
            Self::Planes(planes) => Rgb::from_planes(planes, area, filter, size),
            Self::Rgb(rgb) => rgb.resize(area, filter, size),
        }
    }
}

/// A photo as it was stored: perhaps on its side, perhaps in another colour space.
pub(crate) struct Stored {
    pub(crate) picture: Picture,
    pub(crate) turn: Turn,
    pub(crate) to_srgb: Option<Arc<ToSrgb>>,
}

impl Stored {
    /// Resizes, converts and turns, in this order: a smaller picture is quicker to convert and to turn. `size` is upright.
    pub(crate) fn upright(&self, size: (usize, usize)) -> Picture {
        let size = self.turn.size(size);
        match &self.picture {
            Picture::Planes(planes) if self.to_srgb.is_none() => {
                let small = planes.resize(size, Coarse::HALF, self.turn.mirrored);
                Picture::Planes(self.turn.planes(small))
            }
            picture => {
                let small = picture.patch(picture.whole(), Filter::Lanczos3, size);
                Picture::Rgb(self.turn.rgb(self.in_srgb(small)))
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
