//! What goes between a worker and its computing processes: the length of a JSON head in four bytes, the head, and behind
//! it the bytes whose lengths the head says.

use std::io::{self, Read};

use decouple_contract::{Format, Renditions};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::photo::{Encoded, Look, Made, PhotoError};

/// No head is longer: what is, is garbage.
const MOST_HEAD: u32 = 1 << 20;
/// No rendition is longer, nor is a photo.
const MOST_BYTES: usize = 1 << 30;

/// A photo to compute on; its bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) renditions: Option<Renditions>,
    pub(super) look: bool,
    pub(super) length: usize,
}

/// What came of it; the bytes of the renditions follow, then those of the look.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Made { renditions: Vec<File>, look: bool, not_kept: Option<String> },
    Refused(PhotoError),
}

/// A rendition whose bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct File {
    width: u32,
    height: u32,
    format: Format,
    length: usize,
}

impl Answer {
    pub(super) fn of(made: &Made) -> Self {
        let file = |encoded: &Encoded| {
            let Encoded { width, height, format, ref data } = *encoded;
            File { width, height, format, length: data.len() }
        };
        let renditions = made.renditions.iter().map(file).collect();
        Self::Made { renditions, look: made.look.is_some(), not_kept: made.not_kept.clone() }
    }
}

/// Returns a head with its length before it.
pub(super) fn head(head: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(head)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes()[..], &json].concat())
}

/// Reads an order and its photo; none at the end of the input.
pub(super) fn read_order(from: &mut impl Read) -> io::Result<Option<(Order, Vec<u8>)>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut json = vec![0; head_length(length)?];
    from.read_exact(&mut json)?;
    let order: Order = parse(&json)?;
    let mut content = vec![0; body_length(order.length)?];
    from.read_exact(&mut content)?;
    Ok(Some((order, content)))
}

/// Reads what came of an order.
pub(super) async fn read_answer(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Made, PhotoError>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut json = vec![0; head_length(length)?];
    from.read_exact(&mut json).await?;
    let (files, look, not_kept) = match parse(&json)? {
        Answer::Refused(error) => return Ok(Err(error)),
        Answer::Made { renditions, look, not_kept } => (renditions, look, not_kept),
    };
    let mut made = Made { not_kept, ..Made::default() };
    for File { width, height, format, length } in files {
        let mut data = vec![0; body_length(length)?];
        from.read_exact(&mut data).await?;
        made.renditions.push(Encoded { width, height, format, data });
    }
    if look {
        let mut bytes = vec![0; Look::LENGTH];
        from.read_exact(&mut bytes).await?;
        made.look = Look::from_bytes(bytes);
    }
    Ok(Ok(made))
}

fn head_length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(bytes);
    if length > MOST_HEAD { Err(io::Error::other("a head is too long")) } else { Ok(length as usize) }
}

fn body_length(length: usize) -> io::Result<usize> {
    if length > MOST_BYTES { Err(io::Error::other("a body is too long")) } else { Ok(length) }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    serde_json::from_slice(json).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_whole_or_not_at_all() {
        let order = Order { renditions: Some(Renditions::default()), look: true, length: 3 };
        let sent = [&head(&order).unwrap()[..], b"abc"].concat();
        let (read, content) = read_order(&mut &sent[..]).unwrap().unwrap();
        assert_eq!((read.renditions, read.look, &content[..]), (order.renditions, true, &b"abc"[..]));
        assert!(read_order(&mut &b""[..]).unwrap().is_none());
        for cut in 4..sent.len() {
            assert!(read_order(&mut &sent[..cut]).is_err(), "{cut}");
        }
        assert!(read_order(&mut &[0xFF; 64][..]).is_err());
    }

    #[tokio::test]
    async fn an_answer_arrives_as_it_was_sent() {
        let look = Look::from_bytes(vec![7; Look::LENGTH]).unwrap();
        let encoded = Encoded { width: 4, height: 3, format: Format::Webp, data: vec![1, 2] };
        let why = Some("it is too much".to_owned());
        let made = Made { renditions: vec![encoded.clone()], look: Some(look.clone()), not_kept: why.clone() };
        let sent = [&head(&Answer::of(&made)).unwrap()[..], &encoded.data, look.as_bytes()].concat();
        let read = read_answer(&mut &sent[..]).await.unwrap().unwrap();
        assert_eq!((read.renditions, read.look, read.not_kept), (vec![encoded], Some(look), why));
        let refused = head(&Answer::Refused(PhotoError::Truncated)).unwrap();
        assert_eq!(read_answer(&mut &refused[..]).await.unwrap().unwrap_err(), PhotoError::Truncated);
        assert!(read_answer(&mut &sent[..sent.len() - 1]).await.is_err());
    }
}
