//! Pixels in planes: brightness in full, and two planes of colour that are often coarser.
//!
//! Sizes are those of the photo. A plane may hold a column or a row more than the photo shows (encoders want whole
//! groups of pixels); such an edge repeats its neighbour and is never looked at.

use bytes::Bytes;

use crate::resample::{self, Area, Filter, Levels, Source};

/// One plane: a byte a sample, row by row. Copies are cheap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Bytes,
    pub(crate) levels: Levels,
}

impl Plane {
    /// What it shows at another size, in the full range of levels.
    fn resize(&self, area: Area, filter: Filter, size: (usize, usize)) -> Vec<u8> {
        let Self { width, height, levels, .. } = *self;
        resample::resize(Source { data: &self.data, width, height, channels: 1, levels }, area, filter, size)
    }
}

/// How many pixels one sample of colour covers, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coarse {
    pub(crate) across: usize,
    pub(crate) down: usize,
}

impl Coarse {
    pub(crate) const NONE: Self = Self { across: 1, down: 1 };
    /// What renditions are stored with, as nearly all photos are.
    pub(crate) const HALF: Self = Self { across: 2, down: 2 };

    pub(crate) fn turned(self) -> Self {
        Self { across: self.down, down: self.across }
    }
}

/// A photo in planes.
#[derive(Clone, Debug)]
pub(crate) struct Planes {
    /// What the photo measures, in samples of brightness. A scaled decode shows a fraction of its last column and row.
    pub(crate) extent: (f64, f64),
    pub(crate) luma: Plane,
    /// None where the photo is grey.
    pub(crate) chroma: Option<[Plane; 2]>,
    pub(crate) coarse: Coarse,
}

/// Where the edges lie that pixels without a partner repeat: at the end, or at the beginning where the photo is
/// going to be mirrored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mirrored {
    pub(crate) across: bool,
    pub(crate) down: bool,
}

impl Planes {
    /// Returns this photo at another size, with colour as coarse as asked for.
    pub(crate) fn resize(&self, (width, height): (usize, usize), coarse: Coarse, mirrored: Mirrored) -> Self {
        let own = Coarse::NONE;
        let plane = |plane: &Plane, from: Coarse, to: Coarse| {
            let across = Axis::new(self.extent.0, from.across, width, to.across, coarse.across, mirrored.across);
            let down = Axis::new(self.extent.1, from.down, height, to.down, coarse.down, mirrored.down);
            resize_plane(plane, &across, &down)
        };
        let luma = plane(&self.luma, own, own);
        let chroma =
            self.chroma.as_ref().map(|planes| planes.each_ref().map(|chroma| plane(chroma, self.coarse, coarse)));
        #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
        let extent = (width as f64, height as f64);
        Self { extent, luma, chroma, coarse }
    }

    /// Returns what an area (in samples of brightness) shows, in brightness and two planes of colour of the same size.
    pub(crate) fn patch(&self, area: Area, filter: Filter, size: (usize, usize)) -> Patch {
        let patch = |plane: &Plane, coarse: Coarse| plane.resize(area.in_samples_of(coarse), filter, size);
        let luma = patch(&self.luma, Coarse::NONE);
        let chroma = self.chroma.as_ref().map(|planes| planes.each_ref().map(|chroma| patch(chroma, self.coarse)));
        (luma, chroma)
    }
}

/// Brightness, and two planes of colour where there is colour.
pub(crate) type Patch = (Vec<u8>, Option<[Vec<u8>; 2]>);

impl Area {
    #[expect(clippy::cast_precision_loss, reason = "at most 4")]
    fn in_samples_of(self, coarse: Coarse) -> Self {
        let (across, down) = (coarse.across as f64, coarse.down as f64);
        Self { left: self.left / across, top: self.top / down, width: self.width / across, height: self.height / down }
    }
}

/// One direction of a plane that is resized.
struct Axis {
    /// Where the samples that have a whole source begin in it, and how long that is, in the source plane's samples.
    start: f64,
    length: f64,
    /// Samples that have a whole source, and those before and behind that repeat the edge.
    core: usize,
    before: usize,
    behind: usize,
}

impl Axis {
    /// `extent` pixels, `from` to a sample of the source plane, become `to_pixels` pixels, `to` to a sample, and enough samples
    /// for whole groups of `group` pixels.
    fn new(extent: f64, from: usize, to_pixels: usize, to: usize, group: usize, mirrored: bool) -> Self {
        let samples = to_pixels.div_ceil(group) * group / to;
        let core = (to_pixels / to).max(1).min(samples);
        #[expect(clippy::cast_precision_loss, reason = "sizes of photos are far below 2^52")]
        let (length, whole) = {
            let whole = extent / from as f64;
            (whole * ((core * to) as f64 / to_pixels as f64).min(1.0), whole)
        };
        let pad = samples - core;
        if mirrored {
            Self { start: whole - length, length, core, before: pad, behind: 0 }
        } else {
            Self { start: 0.0, length, core, before: 0, behind: pad }
        }
    }

    fn samples(&self) -> usize {
        self.before + self.core + self.behind
    }
}

fn resize_plane(plane: &Plane, across: &Axis, down: &Axis) -> Plane {
    let area = Area { left: across.start, top: down.start, width: across.length, height: down.length };
    let core = plane.resize(area, Filter::Lanczos3, (across.core, down.core));
    let (width, height) = (across.samples(), down.samples());
    if (width, height) == (across.core, down.core) {
        return Plane { width, height, data: core.into(), levels: Levels::Full };
    }
    let mut data = Vec::with_capacity(width * height);
    for row in 0..height {
        let row = row.saturating_sub(down.before).min(down.core - 1);
        let row = &core[row * across.core..][..across.core];
        data.extend(std::iter::repeat_n(row[0], across.before));
        data.extend_from_slice(row);
        data.extend(std::iter::repeat_n(row[across.core - 1], across.behind));
    }
    Plane { width, height, data: data.into(), levels: Levels::Full }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brightness and colour both rise from left to right and from top to bottom.
    fn slope(width: usize, height: usize, coarse: Coarse) -> Planes {
        let plane = |coarse: Coarse| {
            let (wide, high) = (width.div_ceil(coarse.across), height.div_ceil(coarse.down));
            let value = |x: usize, y: usize| {
                let x = (x * coarse.across) as f64 + coarse.across as f64 / 2.0;
                let y = (y * coarse.down) as f64 + coarse.down as f64 / 2.0;
                (x / width as f64 * 120.0 + y / height as f64 * 120.0) as u8
            };
            let data = (0..high).flat_map(|y| (0..wide).map(move |x| value(x, y))).collect();
            Plane { width: wide, height: high, data: Vec::into(data), levels: Levels::Full }
        };
        Planes {
            extent: (width as f64, height as f64),
            luma: plane(Coarse::NONE),
            chroma: Some([plane(coarse), plane(coarse)]),
            coarse,
        }
    }

    #[test]
    fn colour_stays_where_brightness_is_at_every_odd_size() {
        for coarse in [Coarse::NONE, Coarse::HALF, Coarse { across: 2, down: 1 }, Coarse { across: 4, down: 1 }] {
            for (width, height) in [(401, 301), (400, 300), (333, 77)] {
                let photo = slope(width, height, coarse);
                for to in [(101, 75), (100, 76), (57, 31), (width - 2, height - 2)] {
                    for mirrored in [Mirrored::default(), Mirrored { across: true, down: true }] {
                        let small = photo.resize(to, Coarse::HALF, mirrored);
                        let chroma = &small.chroma.as_ref().unwrap()[0];
                        assert_eq!((chroma.width, chroma.height), (to.0.div_ceil(2), to.1.div_ceil(2)));
                        assert_eq!((small.luma.width, small.luma.height), (chroma.width * 2, chroma.height * 2));
                        let (x, y) = (chroma.width / 2, chroma.height / 2);
                        let luma = |x: usize, y: usize| f64::from(small.luma.data[y * small.luma.width + x]);
                        let around = (luma(2 * x, 2 * y)
                            + luma(2 * x + 1, 2 * y)
                            + luma(2 * x, 2 * y + 1)
                            + luma(2 * x + 1, 2 * y + 1))
                            / 4.0;
                        let colour = f64::from(chroma.data[y * chroma.width + x]);
                        assert!(
                            (around - colour).abs() < 3.0,
                            "{coarse:?} {width}x{height} to {to:?}: {around} {colour}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_single_pixel_becomes_a_whole_group() {
        let small = slope(1, 1, Coarse::HALF).resize((1, 1), Coarse::HALF, Mirrored::default());
        assert_eq!((small.luma.width, small.luma.height), (2, 2));
    }
}
