//! Bytes in, as a stream: memory does not grow with an object. Out they go in [`super::reading`].

use std::{ops::RangeInclusive, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::HeaderMap;
use s3s::{TrailingHeaders, dto::StreamingBlob};
use tokio::sync::mpsc;

use crate::store::{Blobs, NewBlob};

use super::{
    checksums::{Algorithm, Checksum, Digests, Sums},
    error::Failure,
    rows::{Segment, SmallBytes},
};

/// The most that one request may bring.
pub(super) const MAX_CONTENT: u64 = 5 * 1024 * 1024 * 1024;
/// Chunks between the connection and the thread that writes.
const CHUNKS_AHEAD: usize = 8;
/// The most bytes of an object that are kept beside its row, where the flush of the group covers them; a file would take two
/// flushes of its own.
pub(super) const SMALL: usize = 64 * 1024;
/// Of content that is too large so much is counted, to say how large it is.
const COUNTED: u64 = 1024 * 1024;

/// What a client says about content that it sends.
pub(super) struct Expected {
    pub(super) content_md5: Option<String>,
    pub(super) checksums: [(Algorithm, Option<String>); 5],
    /// The algorithm that it names without giving a value in a header.
    pub(super) algorithm: Option<String>,
    pub(super) length: Option<i64>,
    /// How much it may be.
    pub(super) size: RangeInclusive<u64>,
    /// Names of headers after the body.
    pub(super) trailer: Option<String>,
    pub(super) trailing: Option<TrailingHeaders>,
    /// Whether it is of a part of an upload.
    pub(super) is_part: bool,
}

/// Content that came whole and that no row names yet.
pub(super) struct Received {
    pub(super) kept: Kept,
    pub(super) size: u64,
    sums: Sums,
    /// The algorithm that the client verifies with.
    sent: Algorithm,
}

/// Where received content is.
pub(super) enum Kept {
    /// In memory, for a row.
    Small(Bytes),
    /// In a file.
    File(NewBlob),
}

impl Received {
    pub(super) fn etag(&self) -> String {
        hex::encode(self.sums.md5)
    }

    /// The checksum by the algorithm that the client chose.
    pub(super) fn sent(&self) -> Checksum {
        self.sums.checksum(self.sent)
    }

    /// The checksum by the algorithm that was asked for besides.
    pub(super) fn checksum(&self, algorithm: Algorithm) -> Checksum {
        self.sums.checksum(algorithm)
    }
}

impl Kept {
    /// The segments and the small bytes of an object whose row is being written: from now on the row owns them.
    pub(super) fn keep(self, size: u64) -> (Vec<Segment>, SmallBytes) {
        match self {
            Kept::Small(bytes) => (Vec::new(), Some(bytes).filter(|bytes| !bytes.is_empty())),
            Kept::File(blob) => (vec![Segment { blob: blob.keep(), size, checksum: None }], None),
        }
    }
}

impl Expected {
    /// Nothing is expected: the content comes from here.
    pub(super) fn nothing() -> Self {
        Expected {
            content_md5: None,
            checksums: Algorithm::ALL.map(|algorithm| (algorithm, None)),
            algorithm: None,
            length: None,
            size: 0..=MAX_CONTENT,
            trailer: None,
            trailing: None,
            is_part: false,
        }
    }

    /// The names of trailing headers in `headers`.
    pub(super) fn trailer_names(headers: &HeaderMap) -> Option<String> {
        headers.get("x-amz-trailer")?.to_str().ok().map(str::to_owned)
    }

    /// The one algorithm to calculate: that of the value that is given or will follow, the one that is named, or `default`.
    fn algorithm(&self, default: Algorithm) -> Result<Algorithm, Failure> {
        let given: Vec<_> = self.checksums.iter().filter(|(_, value)| value.is_some()).collect();
        if given.len() > 1 {
            let reason = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(Failure::InvalidRequest(reason.into()));
        }
        if let Some((algorithm, Some(value))) = given.first() {
            algorithm.check(value)?;
            return Ok(*algorithm);
        }
        let trailing = self.trailer.as_deref().and_then(|names| names.split(',').find_map(Algorithm::of_header));
        match (trailing, &self.algorithm) {
            (Some(algorithm), _) => Ok(algorithm),
            (None, Some(name)) => Algorithm::parse(name),
            (None, None) => Ok(default),
        }
    }

    fn md5(&self) -> Result<Option<[u8; 16]>, Failure> {
        let Some(text) = self.content_md5.as_deref() else { return Ok(None) };
        let md5 = BASE64_STANDARD.decode(text).ok().and_then(|md5| md5.try_into().ok());
        md5.map(Some).ok_or_else(|| Failure::InvalidMd5(text.to_owned()))
    }

    /// Compares what was calculated with all that was said.
    fn verify(&self, received: &Received) -> Result<(), Failure> {
        if let Some(sent) = self.md5()?.filter(|sent| *sent != received.sums.md5) {
            // The service writes what it was sent in hexadecimal digits, but of a part as it came.
            let sent = if self.is_part { self.content_md5.clone().unwrap_or_default() } else { hex::encode(sent) };
            return Err(Failure::Md5Mismatch { sent, calculated: received.sums.md5 });
        }
        let Checksum { algorithm, value, .. } = &received.sent();
        let in_header =
            self.checksums.iter().find(|(given, _)| given == algorithm).and_then(|(_, value)| value.clone());
        let in_trailer = || {
            let value = |headers: &HeaderMap| headers.get(algorithm.header())?.to_str().ok().map(str::to_owned);
            self.trailing.as_ref().and_then(|trailing| trailing.read(value).flatten())
        };
        match in_header.or_else(in_trailer) {
            Some(sent) => {
                // What came after the body was not looked at before it.
                algorithm.check(&sent)?;
                let specified = || format!("{} you specified", algorithm.name());
                if sent == *value { Ok(()) } else { Err(Failure::BadDigest(specified(), "the calculated checksum")) }
            }
            None if self
                .trailer
                .as_deref()
                .is_some_and(|names| names.split(',').any(|name| Algorithm::of_header(name).is_some())) =>
            {
                Err(Failure::IncompleteBody)
            }
            _ => Ok(()),
        }
    }
}

/// Takes content and checks it against what is expected of it: into memory up to `small` bytes, into a new blob where it is more.
/// Calculates a checksum by the algorithm of the client, `default` where it has none, and one by `besides`.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    expected: &Expected,
    default: Algorithm,
    besides: Option<Algorithm>,
    small: usize,
) -> Result<Received, Failure> {
    let sent = expected.algorithm(default)?;
    expected.md5()?;
    let most = *expected.size.end();
    if let Some(size) = expected.length.map(i64::unsigned_abs).filter(|length| *length > most) {
        return Err(Failure::EntityTooLarge { size, most });
    }
    let (algorithms, mut body) = (Algorithms { sent, besides }, body);
    let received = match gather(&mut body, small).await? {
        Gathered::All(bytes) => in_memory(bytes, algorithms),
        Gathered::More(first) => in_file(blobs, first, body, algorithms, most).await?,
    };
    if received.size > most {
        return Err(Failure::EntityTooLarge { size: received.size, most });
    }
    if received.size < *expected.size.start() {
        return Err(Failure::ContentTooSmall { size: received.size, least: *expected.size.start() });
    }
    if expected.length.is_some_and(|length| length.unsigned_abs() != received.size) {
        return Err(Failure::IncompleteBody);
    }
    expected.verify(&received)?;
    Ok(received)
}

/// The algorithms of the checksums that are calculated.
#[derive(Clone, Copy)]
struct Algorithms {
    sent: Algorithm,
    besides: Option<Algorithm>,
}

impl Algorithms {
    fn digests(self) -> Digests {
        let algorithms: Vec<Algorithm> = std::iter::once(self.sent).chain(self.besides).collect();
        Digests::new(&algorithms)
    }
}

enum Gathered {
    All(Bytes),
    More(Vec<Bytes>),
}

/// The first bytes of a body: all of them where they are at most `small`.
async fn gather(body: &mut Option<StreamingBlob>, small: usize) -> Result<Gathered, Failure> {
    let (mut chunks, mut size) = (Vec::new(), 0);
    while size <= small
        && let Some(stream) = body.as_mut()
    {
        let Some(chunk) = stream.next().await else {
            // Nobody may ask a stream again after its end.
            *body = None;
            break;
        };
        let chunk = chunk.map_err(|error| body_error(&error.to_string()))?;
        size += chunk.len();
        chunks.push(chunk);
    }
    if size > small || small == 0 {
        return Ok(Gathered::More(chunks));
    }
    Ok(Gathered::All(match chunks.len() {
        1 => chunks.remove(0),
        _ => chunks.concat().into(),
    }))
}

fn in_memory(bytes: Bytes, algorithms: Algorithms) -> Received {
    let mut digests = algorithms.digests();
    digests.update(&bytes);
    let size = bytes.len() as u64;
    Received { kept: Kept::Small(bytes), size, sums: digests.finish(), sent: algorithms.sent }
}

async fn in_file(
    blobs: &Arc<Blobs>,
    first: Vec<Bytes>,
    rest: Option<StreamingBlob>,
    algorithms: Algorithms,
    most: u64,
) -> Result<Received, Failure> {
    let (feed, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let blobs = Arc::clone(blobs);
    // Hashing takes longer than writing, and both are kept off the threads that serve connections.
    let writing = tokio::task::spawn_blocking(move || write(blobs, chunks, algorithms));
    // On an error the channel closes without its end, and the writer leaves nothing.
    let pumped = pump(first, rest, &feed, most).await;
    drop(feed);
    let written = writing.await.map_err(|error| Failure::Io { what: "writing the object", source: error.into() })?;
    pumped?;
    written?.ok_or(Failure::IncompleteBody)
}

/// Passes chunks on, and at the end the mark that all have come.
async fn pump(
    first: Vec<Bytes>,
    rest: Option<StreamingBlob>,
    feed: &mpsc::Sender<Option<Bytes>>,
    most: u64,
) -> Result<(), Failure> {
    let mut size = 0u64;
    let first = stream::iter(first.into_iter().map(Ok));
    let mut body = first.chain(stream::iter(rest).flatten());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| body_error(&error.to_string()))?;
        size += chunk.len() as u64;
        if size > most {
            while size < most.saturating_add(COUNTED)
                && let Some(Ok(chunk)) = body.next().await
            {
                size += chunk.len() as u64;
            }
            return Err(Failure::EntityTooLarge { size, most });
        }
        if feed.send(Some(chunk)).await.is_err() {
            // The writer has failed and says why itself.
            return Ok(());
        }
    }
    drop(feed.send(None).await);
    Ok(())
}

/// The s3s crate keeps the types of these errors to itself.
fn body_error(text: &str) -> Failure {
    match text {
        text if text.contains("Sha256Mismatch") => Failure::ContentSha256Mismatch,
        text if text.contains("Incomplete") || text.contains("LengthMismatch") => Failure::IncompleteBody,
        text if text.contains("SignatureMismatch") => Failure::SignatureDoesNotMatch,
        text => Failure::Body(text.to_owned()),
    }
}

fn write(
    blobs: Arc<Blobs>,
    mut chunks: mpsc::Receiver<Option<Bytes>>,
    algorithms: Algorithms,
) -> Result<Option<Received>, Failure> {
    let (mut digests, mut size) = (algorithms.digests(), 0u64);
    let mut writer = blobs.create().map_err(Failure::io("creating the object's file"))?;
    loop {
        match chunks.blocking_recv() {
            None => return Ok(None),
            Some(None) => break,
            Some(Some(chunk)) => {
                digests.update(&chunk);
                size += chunk.len() as u64;
                writer.write(&chunk).map_err(Failure::io("writing the object's file"))?;
            }
        }
    }
    let id = writer.finish().map_err(Failure::io("flushing the object's file"))?;
    let kept = Kept::File(NewBlob::new(blobs, id));
    Ok(Some(Received { kept, size, sums: digests.finish(), sent: algorithms.sent }))
}
