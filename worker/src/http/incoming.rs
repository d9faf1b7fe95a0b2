//! A file on its way in, from the body itself or from a form.
//!
//! It is looked at as soon as its header has come, and then passed on to the store as it comes. Only what is small is held
//! whole. What cannot be passed on at once, because its length is not said before or its header may stand at its end,
//! is set aside in a file that has no name and goes with the upload.

use std::{
    fs::File,
    io::{self, BufReader, Seek as _, Write as _},
    sync::{Arc, OnceLock},
};

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request, multipart::MultipartError},
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use tokio_util::io::ReaderStream;

use super::{
    names,
    pace::{Pace, TooSlow, paced},
    problem::Problem,
    room::{Place, Room},
};
use crate::{
    photo::{self, Header, PhotoError},
    store::{Content, Pieces},
};

/// What was set aside is read back in pieces of so many bytes.
const PIECE: usize = 1 << 17;

/// A file that is an image by its header. Most of it may still be to come.
pub(super) struct Incoming {
    pub(super) name: Option<String>,
    pub(super) header: Header,
    pub(super) content: Content,
    /// Why the content broke off, where it did: to the store it is one fault like any other.
    pub(super) fault: Fault,
    /// Memory for what is held of it.
    pub(super) room: Option<Place>,
}

pub(super) type Fault = Arc<OnceLock<Problem>>;

/// Receives a file of at most `limit` bytes that comes in no slower than `pace`.
pub(super) async fn receive(request: Request, limit: usize, pace: Pace, room: &Room) -> Result<Incoming, Problem> {
    let request = request.map(|body| Body::from_stream(paced(body.into_data_stream(), pace)));
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data")) {
        of_form(request, limit, room).await
    } else {
        of_body(request, limit, room).await
    }
}

async fn of_body(request: Request, limit: usize, room: &Room) -> Result<Incoming, Problem> {
    let (parts, body) = request.into_parts();
    let name = names::of(&parts.headers, parts.uri.query());
    let length = length(&parts.headers);
    if length.is_some_and(|length| length > limit as u64) {
        return Err(Problem::TooLarge { limit });
    }
    let mut pieces = body.into_data_stream().map_err(move |error| ended_early(&error, limit)).boxed();
    let start = Start::of(&mut pieces, limit, room).await?;
    match (start.look().await, length) {
        (Ok(Some(header)), Some(length)) if !start.ended => {
            let Start { bytes, room, .. } = start;
            let passed = passed_on(name, header, length, stream::iter([Ok(bytes)]).chain(pieces));
            Ok(Incoming { room, ..passed })
        }
        (header, _) => start.finish(name, header, pieces, limit).await,
    }
}

fn passed_on(
    name: Option<String>,
    header: Header,
    length: u64,
    pieces: impl Stream<Item = Result<Bytes, Problem>> + Send + 'static,
) -> Incoming {
    let fault = Fault::default();
    let noted = Arc::clone(&fault);
    let pieces = pieces.map_err(move |problem| {
        // Nothing comes after the first.
        let _first = noted.set(problem);
        io::Error::other("the upload broke off")
    });
    Incoming { name, header, content: Content::Stream { length, pieces: pieces.boxed() }, fault, room: None }
}

/// Takes the file of a form. The photo of a form with several is not known before all of it has come, so nothing is passed on
/// until then.
async fn of_form(request: Request, limit: usize, room: &Room) -> Result<Incoming, Problem> {
    let bad = move |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge { limit },
        _ if has_cause::<TooSlow>(&error) => Problem::TooSlow,
        _ => Problem::BadRequest(error.body_text()),
    };
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| Problem::BadRequest(rejection.body_text()))?;
    let mut found = None;
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let Some(name) = field.file_name().map(str::to_owned) else { continue };
        let mut pieces = field.map_err(bad);
        if found.is_some() {
            discard(pieces, limit).await;
            return Err(Problem::BadRequest(
                "The form holds several files: send each photo in a form of its own.".to_owned(),
            ));
        }
        let start = Start::of(&mut pieces, limit, room).await?;
        let header = start.look().await;
        found = Some(start.finish(Some(name), header, pieces, limit).await?);
    }
    found.ok_or_else(|| Problem::BadRequest("The form holds no file.".to_owned()))
}

/// What came first of a file.
struct Start {
    bytes: Bytes,
    /// It is all of it.
    ended: bool,
    room: Option<Place>,
}

impl Start {
    async fn of(
        pieces: &mut (impl Stream<Item = Result<Bytes, Problem>> + Unpin),
        limit: usize,
        room: &Room,
    ) -> Result<Self, Problem> {
        let (room, held) = room.take();
        let mut bytes = BytesMut::new();
        let mut ended = false;
        while bytes.len() < held && !ended {
            match pieces.next().await.transpose()? {
                Some(piece) => bytes.extend_from_slice(&piece),
                None => ended = true,
            }
            if bytes.len() > limit {
                discard(pieces, limit).await;
                return Err(Problem::TooLarge { limit });
            }
        }
        Ok(Self { bytes: bytes.freeze(), ended, room })
    }

    /// Returns what the header says, where it is all there.
    async fn look(&self) -> Result<Option<Header>, Problem> {
        let (bytes, ended) = (self.bytes.clone(), self.ended);
        inspected(move || if ended { photo::inspect(&bytes).map(Some) } else { photo::inspect_start(&bytes) }).await
    }

    /// Takes the rest of what is not passed on as it comes.
    async fn finish(
        self,
        name: Option<String>,
        header: Result<Option<Header>, Problem>,
        pieces: impl Stream<Item = Result<Bytes, Problem>> + Unpin,
        limit: usize,
    ) -> Result<Incoming, Problem> {
        let header = match header {
            Ok(header) => header,
            Err(problem) => {
                discard(pieces, limit).await;
                return Err(problem);
            }
        };
        let fault = Fault::default();
        if let (Some(header), true) = (header, self.ended) {
            return Ok(Incoming { name, header, content: Content::Whole(self.bytes), fault, room: self.room });
        }
        let (length, aside) = set_aside(self.bytes, pieces, limit).await?;
        let (header, aside) = inspected(move || {
            let header = photo::inspect_from(BufReader::new(&aside))?;
            Ok((header, aside))
        })
        .await?;
        Ok(Incoming { name, header, content: Content::Stream { length, pieces: read(aside)? }, fault, room: None })
    }
}

/// Reads on to the end: who is answered while they still send may never see the answer.
async fn discard<E>(mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin, limit: usize) {
    let mut left = limit;
    while let Some(Ok(piece)) = pieces.next().await
        && left > 0
    {
        left = left.saturating_sub(piece.len());
    }
}

/// Reads a header where it keeps nobody waiting.
async fn inspected<T: Send + 'static>(
    inspect: impl FnOnce() -> Result<T, PhotoError> + Send + 'static,
) -> Result<T, Problem> {
    let inspected = tokio::task::spawn_blocking(inspect).await;
    Ok(inspected.map_err(|_| Problem::Unprocessable("The image's header cannot be read.".to_owned()))??)
}

/// Writes a file to where it takes no memory, and returns its length.
async fn set_aside(
    first: Bytes,
    mut rest: impl Stream<Item = Result<Bytes, Problem>> + Unpin,
    limit: usize,
) -> Result<(u64, File), Problem> {
    let mut aside = tempfile::tempfile().map_err(|error| no_room(&error))?;
    let mut length = 0;
    let mut next = Some(first);
    while let Some(piece) = next {
        length += piece.len();
        if length > limit {
            discard(rest, limit).await;
            return Err(Problem::TooLarge { limit });
        }
        let written = tokio::task::spawn_blocking(move || aside.write_all(&piece).map(|()| aside)).await;
        aside = written.map_err(io::Error::other).flatten().map_err(|error| no_room(&error))?;
        next = rest.next().await.transpose()?;
    }
    aside.rewind().map_err(|error| no_room(&error))?;
    Ok((length as u64, aside))
}

fn read(mut aside: File) -> Result<Pieces, Problem> {
    aside.rewind().map_err(|error| no_room(&error))?;
    Ok(ReaderStream::with_capacity(tokio::fs::File::from_std(aside), PIECE).boxed())
}

fn no_room(error: &io::Error) -> Problem {
    let why = format!("an upload cannot be set aside in the directory for temporary files: {error}");
    Problem::Unavailable { part: "disk", why }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Says why a body has no more to give.
fn ended_early(error: &(dyn std::error::Error + 'static), limit: usize) -> Problem {
    if has_cause::<LengthLimitError>(error) {
        Problem::TooLarge { limit }
    } else if has_cause::<TooSlow>(error) {
        Problem::TooSlow
    } else {
        Problem::BadRequest("The body ended before it was complete.".to_owned())
    }
}

fn has_cause<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use super::{super::room::HELD, *};

    const ROCKET: &[u8] = include_bytes!("../../../tests/photos/rocket.jpg");
    const LIMIT: usize = 4 << 20;

    fn request(kind: &str, length: Option<usize>, body: impl Stream<Item = Bytes> + Send + 'static) -> Request {
        let mut request = Request::builder().header(header::CONTENT_TYPE, kind);
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        request.body(Body::from_stream(body.map(Ok::<_, Infallible>))).unwrap()
    }

    async fn received(request: Request, pace: Pace) -> Result<Incoming, Problem> {
        receive(request, LIMIT, pace, &Room::default()).await
    }

    /// A photo with more behind it than is held.
    fn large() -> Vec<u8> {
        [ROCKET, &vec![0; HELD]].concat()
    }

    async fn content(incoming: Incoming) -> Vec<u8> {
        match incoming.content {
            Content::Whole(bytes) => bytes.to_vec(),
            Content::Stream { length, pieces } => {
                let all: Vec<Bytes> = pieces.try_collect().await.unwrap();
                assert_eq!(all.iter().map(Bytes::len).sum::<usize>() as u64, length);
                all.concat()
            }
        }
    }

    #[tokio::test]
    async fn what_is_large_is_passed_on_before_it_is_all_there() {
        let large = large();
        let start = stream::iter([Bytes::from(large.clone())]).chain(stream::pending());
        let incoming = received(request("image/jpeg", Some(large.len() + 1), start), Pace::UPLOAD).await.unwrap();
        let Content::Stream { length, mut pieces } = incoming.content else { panic!("it was held") };
        assert_eq!((length, incoming.header.width), (large.len() as u64 + 1, 640));
        assert_eq!(pieces.next().await.unwrap().unwrap(), large);
    }

    #[tokio::test]
    async fn however_it_comes_it_comes_whole() {
        let large = large();
        let mut tiff = io::Cursor::new(Vec::new());
        let noise = image::RgbImage::from_fn(700, 700, |x, y| image::Rgb([x, y, x * y].map(|v| v.to_le_bytes()[0])));
        noise.write_to(&mut tiff, image::ImageFormat::Tiff).unwrap();
        let tiff = tiff.into_inner();
        assert!(tiff.len() > HELD);
        for (file, length) in [(ROCKET, None), (&large, Some(large.len())), (&large, None), (&tiff, Some(tiff.len()))] {
            let pieces: Vec<Bytes> = file.chunks(70_000).map(Bytes::copy_from_slice).collect();
            let body = stream::iter(pieces.clone());
            let incoming = received(request("text/html", length, body), Pace::UPLOAD).await.unwrap();
            assert!(content(incoming).await == *file);

            let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n";
            let form =
                stream::iter([head.into()]).chain(stream::iter(pieces)).chain(stream::iter(["\r\n--x--".into()]));
            let incoming = received(request("multipart/form-data; boundary=x", None, form), Pace::UPLOAD).await;
            assert!(content(incoming.unwrap()).await == *file);
        }
    }

    #[tokio::test]
    async fn where_many_are_held_a_small_one_is_passed_on_too_and_comes_whole() {
        let none = Room::new(0);
        let pieces = || stream::iter(ROCKET.chunks(50_000).map(Bytes::copy_from_slice).collect::<Vec<_>>());
        for length in [Some(ROCKET.len()), None] {
            let incoming = receive(request("image/jpeg", length, pieces()), LIMIT, Pace::UPLOAD, &none).await.unwrap();
            assert!(incoming.content.is_stream() && incoming.room.is_none());
            assert!(content(incoming).await == ROCKET);
        }
    }

    #[tokio::test]
    async fn who_stops_sending_is_told_that_it_takes_too_long() {
        let pace = Pace { patience: Duration::from_millis(20), ..Pace::UPLOAD };
        let form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n";
        for (kind, start) in [("image/jpeg", &ROCKET[..100]), ("multipart/form-data; boundary=x", form.as_bytes())] {
            let body = stream::iter([Bytes::copy_from_slice(start)]).chain(stream::pending());
            let problem = received(request(kind, None, body), pace).await.err();
            assert!(matches!(problem, Some(Problem::TooSlow)), "{problem:?}");
        }
        let body = stream::iter([Bytes::from(large())]).chain(stream::pending());
        let incoming = received(request("", Some(LIMIT), body), pace).await.unwrap();
        let Content::Stream { pieces, .. } = incoming.content else { panic!("it was held") };
        assert!(pieces.try_collect::<Vec<_>>().await.is_err());
        assert!(matches!(incoming.fault.get(), Some(Problem::TooSlow)));
    }

    /// A request as the fuzzer's seeds have it: the address, headers, a line each, an empty line, and the body.
    fn parsed(seed: &[u8]) -> Option<Request> {
        let end = seed.windows(2).position(|two| two == b"\n\n")?;
        let mut lines = seed[..end].split(|byte| *byte == b'\n');
        let mut request = Request::post(lines.next()?);
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
        }
        request.body(Body::from(seed[end + 2..].to_vec())).ok()
    }

    #[tokio::test]
    async fn seeds_of_the_fuzzer_are_received_and_damaged_ones_are_the_senders_fault() {
        let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/photo/fuzz/seeds-upload")).unwrap();
        for seed in directory.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()) {
            let incoming = received(parsed(&seed).unwrap(), Pace::UPLOAD).await.unwrap();
            assert!(incoming.name.is_some());
            for at in (0..seed.len()).step_by(3) {
                let mut damaged = seed.clone();
                damaged[at] = damaged[at].wrapping_add(41);
                let Some(request) = parsed(&damaged) else { continue };
                if let Err(problem) = received(request, Pace::UPLOAD).await {
                    assert!(!matches!(problem, Problem::Unavailable { .. }), "{at}: {problem:?}");
                }
            }
        }
    }
}
