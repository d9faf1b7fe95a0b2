//! The items of a file, and what is said of them (ISO/IEC 23008-12), as the box of metadata lists them.

use std::collections::BTreeMap;

use super::boxes::{Bytes, Kind, broken};
use crate::PhotoError;

/// What is said of transparency, in files of today and of the first years.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];

/// What the box of metadata says.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) primary: u32,
    by_id: BTreeMap<u32, Item>,
    properties: Vec<Property>,
    references: Vec<Reference>,
    /// Bytes of items that are kept among the metadata.
    pub(super) data: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Properties by their numbers, from 1 on.
    said: Vec<u16>,
}

/// Where the bytes of an item are.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The first byte, and how many; to the end where that is zero.
    pub(super) extents: Vec<(u64, u64)>,
    /// 0: in the file. 1: in the metadata's own data.
    pub(super) within: u16,
}

#[derive(Debug)]
struct Reference {
    kind: Kind,
    from: u32,
    to: Vec<u32>,
}

/// What is said of an item.
#[derive(Debug)]
pub(super) enum Property {
    Size(u32, u32),
    Profile(Vec<u8>),
    Colours(Colours),
    /// Width, height, and how far its middle is right of the picture's and below it: numerators and denominators.
    Clean([u32; 8]),
    /// Quarters against the clock.
    Turned(u8),
    /// What changes places: top and bottom (0), or left and right (1).
    Mirrored(u8),
    Alpha,
    Unknown,
}

/// Colours by their codes (ITU-T H.273).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    pub(super) full_range: bool,
}

impl Items {
    /// Reads the content of the box of metadata.
    pub(super) fn read(metadata: &[u8]) -> Result<Self, PhotoError> {
        let mut items = Self::default();
        let mut metadata = Bytes(metadata);
        metadata.version()?;
        while let Some((kind, content)) = metadata.next_box()? {
            match &kind {
                b"pitm" => items.primary = primary(content)?,
                b"iinf" => items.kinds(content)?,
                b"iloc" => items.places(content)?,
                b"iprp" => items.properties(content)?,
                b"iref" => items.references(content)?,
                b"idat" => items.data = content.0.to_vec(),
                _ => {}
            }
        }
        Ok(items)
    }

    pub(super) fn item(&self, id: u32) -> Result<&Item, PhotoError> {
        self.by_id.get(&id).ok_or_else(broken)
    }

    /// What is said of an item.
    pub(super) fn said(&self, id: u32) -> impl Iterator<Item = &Property> {
        let said = self.by_id.get(&id).map_or(&[][..], |item| &item.said[..]);
        said.iter().filter_map(|number| self.properties.get(usize::from(*number).checked_sub(1)?))
    }

    /// Items that an item refers to, in their order.
    pub(super) fn of(&self, kind: Kind, from: u32) -> impl Iterator<Item = u32> {
        let references =
            self.references.iter().filter(move |reference| (reference.kind, reference.from) == (kind, from));
        references.flat_map(|reference| reference.to.iter().copied())
    }

    /// Items that refer to an item.
    pub(super) fn to(&self, kind: Kind, to: u32) -> impl Iterator<Item = u32> {
        let references =
            self.references.iter().filter(move |reference| reference.kind == kind && reference.to.contains(&to));
        references.map(|reference| reference.from)
    }

    fn kinds(&mut self, mut content: Bytes<'_>) -> Result<(), PhotoError> {
        let (version, _) = content.version()?;
        content.id(version > 0)?;
        while let Some((kind, mut entry)) = content.next_box()? {
            let (version, _) = entry.version()?;
            if kind == *b"infe" && version >= 2 {
                let id = entry.id(version > 2)?;
                entry.u16()?;
                self.by_id.entry(id).or_default().kind = entry.kind()?;
            }
        }
        Ok(())
    }

    fn places(&mut self, mut content: Bytes<'_>) -> Result<(), PhotoError> {
        let (version, _) = content.version()?;
        let [lengths, bases] = [content.u8()?, content.u8()?];
        let (offset, length, base, index) = (lengths >> 4, lengths & 15, bases >> 4, bases & 15);
        for _ in 0..content.id(version > 1)? {
            let id = content.id(version > 1)?;
            let within = if version > 0 { content.u16()? & 15 } else { 0 };
            content.u16()?;
            let first = content.number(base)?;
            let mut extents = Vec::new();
            for _ in 0..content.u16()? {
                content.number(if version > 0 { index } else { 0 })?;
                let offset = first.checked_add(content.number(offset)?).ok_or_else(broken)?;
                extents.push((offset, content.number(length)?));
            }
            self.by_id.entry(id).or_default().place = Place { extents, within };
        }
        Ok(())
    }

    fn properties(&mut self, mut content: Bytes<'_>) -> Result<(), PhotoError> {
        while let Some((kind, mut content)) = content.next_box()? {
            match &kind {
                b"ipco" => {
                    while let Some((kind, content)) = content.next_box()? {
                        self.properties.push(property(kind, content).unwrap_or(Property::Unknown));
                    }
                }
                b"ipma" => self.associations(content)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn associations(&mut self, mut content: Bytes<'_>) -> Result<(), PhotoError> {
        let (version, flags) = content.version()?;
        for _ in 0..content.u32()? {
            let said = &mut self.by_id.entry(content.id(version > 0)?).or_default().said;
            for _ in 0..content.u8()? {
                // The highest bit says that the property must be known.
                said.push(if flags & 1 == 1 { content.u16()? & 0x7FFF } else { u16::from(content.u8()? & 0x7F) });
            }
        }
        Ok(())
    }

    fn references(&mut self, mut content: Bytes<'_>) -> Result<(), PhotoError> {
        let (version, _) = content.version()?;
        while let Some((kind, mut content)) = content.next_box()? {
            let from = content.id(version > 0)?;
            let to = (0..content.u16()?).map(|_| content.id(version > 0)).collect::<Result<_, _>>()?;
            self.references.push(Reference { kind, from, to });
        }
        Ok(())
    }
}

fn primary(mut content: Bytes<'_>) -> Result<u32, PhotoError> {
    let (version, _) = content.version()?;
    content.id(version > 0)
}

fn property(kind: Kind, mut content: Bytes<'_>) -> Result<Property, PhotoError> {
    Ok(match &kind {
        b"ispe" => {
            content.version()?;
            Property::Size(content.u32()?, content.u32()?)
        }
        b"colr" => match &content.kind()? {
            b"nclx" => Property::Colours(Colours {
                primaries: content.u16()?,
                transfer: content.u16()?,
                matrix: content.u16()?,
                full_range: content.u8()? & 0x80 != 0,
            }),
            b"prof" | b"rICC" => Property::Profile(content.0.to_vec()),
            _ => Property::Unknown,
        },
        b"clap" => {
            let mut numbers = [0; 8];
            for number in &mut numbers {
                *number = content.u32()?;
            }
            Property::Clean(numbers)
        }
        b"irot" => Property::Turned(content.u8()? & 3),
        b"imir" => Property::Mirrored(content.u8()? & 1),
        b"auxC" => {
            content.version()?;
            if ALPHA.iter().any(|alpha| content.0.starts_with(alpha)) { Property::Alpha } else { Property::Unknown }
        }
        _ => Property::Unknown,
    })
}
