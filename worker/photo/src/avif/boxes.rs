//! The boxes that a file is made of (ISO/IEC 14496-12): each has a length, a kind, and content.

use std::io::{Read, Seek, SeekFrom};

use crate::PhotoError;

/// Most bytes that the box of metadata may have: it is held whole, and a profile of colours is the largest thing in it.
const MOST_METADATA: u64 = 4 << 20;

/// Four letters that tell what a box, an item or a reference is.
pub(super) type Kind = [u8; 4];

/// Reads the box of metadata, without what comes before and behind it.
pub(super) fn metadata(mut file: impl Read + Seek) -> Result<Vec<u8>, PhotoError> {
    loop {
        let mut head = [0; 8];
        read(&mut file, &mut head)?;
        let [length, kind] = [0, 4].map(|at| std::array::from_fn(|byte| head[at + byte]));
        let length = match u32::from_be_bytes(length) {
            0 => None,
            1 => {
                let mut long = [0; 8];
                read(&mut file, &mut long)?;
                Some(u64::from_be_bytes(long).checked_sub(16).ok_or_else(broken)?)
            }
            length => Some(u64::from(length).checked_sub(8).ok_or_else(broken)?),
        };
        if kind == *b"meta" {
            if length.is_some_and(|length| length > MOST_METADATA) {
                return Err(broken());
            }
            let mut content = Vec::new();
            file.take(length.unwrap_or(MOST_METADATA)).read_to_end(&mut content).map_err(PhotoError::broken)?;
            let whole = length.is_none_or(|length| content.len() as u64 == length);
            return if whole { Ok(content) } else { Err(PhotoError::Truncated) };
        }
        // A box without a length is the last.
        let length = length.and_then(|length| i64::try_from(length).ok()).ok_or_else(broken)?;
        file.seek(SeekFrom::Current(length)).map_err(PhotoError::broken)?;
    }
}

fn read(file: &mut impl Read, bytes: &mut [u8]) -> Result<(), PhotoError> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::broken(error),
    })
}

/// Bytes that are read from their beginning on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PhotoError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], PhotoError> {
        self.take(LENGTH)?.try_into().map_err(|_| broken())
    }

    pub(super) fn u8(&mut self) -> Result<u8, PhotoError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, PhotoError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PhotoError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn kind(&mut self) -> Result<Kind, PhotoError> {
        self.array()
    }

    /// A number of so many bytes, eight at most; of none it is zero.
    pub(super) fn number(&mut self, bytes: u8) -> Result<u64, PhotoError> {
        if bytes > 8 {
            return Err(broken());
        }
        Ok(self.take(bytes.into())?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number of two bytes, or of four.
    pub(super) fn id(&mut self, long: bool) -> Result<u32, PhotoError> {
        if long { self.u32() } else { self.u16().map(u32::from) }
    }

    /// The version of a box, and its flags.
    pub(super) fn version(&mut self) -> Result<(u8, u32), PhotoError> {
        let [version, flags @ ..] = self.u32()?.to_be_bytes();
        Ok((version, flags.iter().fold(0, |all, byte| all << 8 | u32::from(*byte))))
    }

    /// The next box, where there is one.
    pub(super) fn next_box(&mut self) -> Result<Option<(Kind, Bytes<'a>)>, PhotoError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (length, kind) = (self.u32()?, self.kind()?);
        let length = match length {
            0 => self.0.len(),
            1 => usize::try_from(self.number(8)?).ok().and_then(|length| length.checked_sub(16)).ok_or_else(broken)?,
            length => (length as usize).checked_sub(8).ok_or_else(broken)?,
        };
        Ok(Some((kind, Bytes(self.take(length)?))))
    }
}

/// Says that boxes are not what they should be.
pub(super) fn broken() -> PhotoError {
    PhotoError::Broken("its boxes do not say where the picture is".to_owned())
}
