//! What a file says of its picture: where its parts lie, how they are put together, how it is turned, and what colours it has.
//!
//! The primary item alone is looked at. It is a frame, or a grid of frames; another item like it may say how opaque the picture is.

use std::{
    borrow::Cow,
    io::{Read, Seek},
};

use image::metadata::Orientation;

use super::{
    boxes::{broken, metadata},
    items::{Colours, Items, Place, Property},
    sequence::Sequence,
};
use crate::{MOST_PIXELS, PhotoError, turn::Turn};

/// Phones store photos in some fifty tiles. Each costs a decoder of its own.
const MOST_TILES: usize = 1024;

/// What a file says of its picture.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) picture: Frames,
    /// How opaque it is.
    pub(super) alpha: Option<Frames>,
    /// Whether its colours were multiplied by how opaque they are.
    pub(super) premultiplied: bool,
    pub(super) profile: Option<Vec<u8>>,
    pub(super) colours: Option<Colours>,
    /// The part of it that is shown, where not all is.
    pub(super) part: Option<Part>,
    pub(super) turn: Turn,
    data: Vec<u8>,
}

/// A frame, or several of one size side by side from the upper left on.
#[derive(Debug)]
pub(super) struct Frames {
    /// Size in pixels of what they show together.
    pub(super) size: (usize, usize),
    /// That of each.
    pub(super) each: (usize, usize),
    pub(super) columns: usize,
    pub(super) places: Vec<Place>,
}

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) size: (usize, usize),
}

impl Container {
    /// Reads the box of metadata alone.
    pub(super) fn read(file: impl Read + Seek) -> Result<Self, PhotoError> {
        let items = Items::read(&metadata(file)?)?;
        let primary = items.primary;
        let picture = Frames::of(&items, primary)?;
        let says_alpha = |item: &u32| items.said(*item).any(|said| matches!(said, Property::Alpha));
        let alpha = items.to(*b"auxl", primary).find(says_alpha);
        let frame = items.of(*b"dimg", primary).next().unwrap_or(primary);
        let colours = items.said(primary).chain(items.said(frame)).find_map(|said| match said {
            Property::Colours(colours) => Some(*colours),
            _ => None,
        });
        let profile = items.said(primary).find_map(|said| match said {
            Property::Profile(profile) => Some(profile.clone()),
            _ => None,
        });
        let clean = items.said(primary).find_map(|said| match said {
            Property::Clean(clean) => Part::of(*clean, picture.size),
            _ => None,
        });
        Ok(Self {
            alpha: alpha.map(|alpha| Frames::of(&items, alpha)).transpose()?,
            premultiplied: alpha.is_some_and(|alpha| items.of(*b"prem", primary).any(|to| to == alpha)),
            profile,
            colours,
            part: clean,
            turn: Turn::of(orientation(&items)),
            picture,
            data: items.data,
        })
    }

    /// Size in pixels of what is shown, once it is upright.
    pub(super) fn size(&self) -> (usize, usize) {
        self.turn.size(self.part.map_or(self.picture.size, |part| part.size))
    }

    /// What its first frame says.
    pub(super) fn sequence(&self, content: &[u8]) -> Option<Sequence> {
        Sequence::of(&self.bytes(self.picture.places.first()?, content).ok()?)
    }

    /// What its colours are: what the container says comes before what frames say.
    pub(super) fn colours(&self, content: &[u8]) -> Option<Colours> {
        self.colours.or_else(|| Some(self.sequence(content)?.colours))
    }

    /// The bytes of a frame.
    pub(super) fn bytes<'a>(&'a self, place: &Place, content: &'a [u8]) -> Result<Cow<'a, [u8]>, PhotoError> {
        let content = match place.within {
            0 => content,
            1 => &self.data,
            _ => return Err(broken()),
        };
        let extent = |(offset, length): &(u64, u64)| {
            let rest = content.get(usize::try_from(*offset).ok()?..)?;
            if *length == 0 { Some(rest) } else { rest.get(..usize::try_from(*length).ok()?) }
        };
        if let [all] = &place.extents[..] {
            return extent(all).map(Cow::Borrowed).ok_or(PhotoError::Truncated);
        }
        let mut bytes = Vec::new();
        for part in &place.extents {
            let part = extent(part).ok_or(PhotoError::Truncated)?;
            // Parts that lie over each other could be of any length together.
            if bytes.len() + part.len() > content.len() {
                return Err(broken());
            }
            bytes.extend_from_slice(part);
        }
        Ok(bytes.into())
    }
}

impl Frames {
    fn of(items: &Items, id: u32) -> Result<Self, PhotoError> {
        let size = |id| {
            let size = items.said(id).find_map(|said| match said {
                Property::Size(width, height) => Some((*width, *height)),
                _ => None,
            });
            fit(size.ok_or_else(broken)?)
        };
        let item = items.item(id)?;
        let all = size(id)?;
        match &item.kind {
            b"av01" => Ok(Self { size: all, each: all, columns: 1, places: vec![item.place.clone()] }),
            b"grid" => {
                let tiles: Vec<u32> = items.of(*b"dimg", id).take(MOST_TILES + 1).collect();
                if tiles.len() > MOST_TILES {
                    return Err(PhotoError::Broken(format!("it is made of more than {MOST_TILES} tiles")));
                }
                let each @ (width, height) = size(*tiles.first().ok_or_else(broken)?)?;
                // No tile may lie outside of the picture, so that sizes say how many there are.
                let (columns, rows) = (all.0.div_ceil(width), all.1.div_ceil(height));
                if columns * rows != tiles.len() {
                    return Err(broken());
                }
                let place = |tile: &u32| items.item(*tile).map(|tile| tile.place.clone());
                let places = tiles.iter().map(place).collect::<Result<_, _>>()?;
                Ok(Self { size: all, each, columns, places })
            }
            kind => {
                Err(PhotoError::Broken(format!("its picture is of a kind that is not known ({})", kind.escape_ascii())))
            }
        }
    }

    /// How many columns and rows lie left of and above a frame.
    pub(super) fn before(&self, index: usize) -> (usize, usize) {
        (index % self.columns * self.each.0, index / self.columns * self.each.1)
    }
}

/// Returns a size if a picture may be of it.
fn fit((width, height): (u32, u32)) -> Result<(usize, usize), PhotoError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(PhotoError::Broken("it has no pixels".to_owned())),
        pixels if pixels > MOST_PIXELS => Err(PhotoError::TooLarge { width, height }),
        _ => Ok((width as usize, height as usize)),
    }
}

impl Part {
    /// Returns the part that a clean aperture shows of a picture; none where it is not one of whole pixels.
    fn of(numbers: [u32; 8], (width, height): (usize, usize)) -> Option<Self> {
        let side = |[wanted, by, right, right_by]: [u32; 4], of: usize| {
            let wanted =
                wanted.checked_div(by).filter(|side| side.checked_mul(by) == Some(wanted) && *side > 0)? as usize;
            // The numerator has a sign.
            let right = i64::from(i32::from_ne_bytes(right.to_ne_bytes()));
            let twice = i64::try_from(of.checked_sub(wanted)?).ok()? * i64::from(right_by) + 2 * right;
            let by = 2 * i64::from(right_by);
            let first = twice.checked_div(by).filter(|first| first * by == twice)?;
            let first = usize::try_from(first).ok()?;
            (first + wanted <= of).then_some((first, wanted))
        };
        let [w, wd, h, hd, x, xd, y, yd] = numbers;
        let ((left, wide), (top, high)) = (side([w, wd, x, xd], width)?, side([h, hd, y, yd], height)?);
        Some(Self { left, top, size: (wide, high) })
    }
}

/// How a picture is put upright: it is turned against the clock first, then mirrored.
fn orientation(items: &Items) -> Orientation {
    use Orientation as O;
    let (mut turned, mut mirrored) = (0, None);
    for said in items.said(items.primary) {
        match said {
            Property::Turned(quarters) => turned = *quarters,
            Property::Mirrored(axis) => mirrored = Some(*axis),
            _ => {}
        }
    }
    match (turned, mirrored) {
        (0, None) => O::NoTransforms,
        (1, None) => O::Rotate270,
        (2, None) => O::Rotate180,
        (_, None) => O::Rotate90,
        (0, Some(0)) | (2, Some(1)) => O::FlipVertical,
        (0 | 2, Some(_)) => O::FlipHorizontal,
        (1, Some(0)) | (3, Some(1)) => O::Rotate90FlipH,
        (_, Some(_)) => O::Rotate270FlipH,
    }
}
