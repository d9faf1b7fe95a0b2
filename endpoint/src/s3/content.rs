//! Bytes in and out, as streams: memory does not grow with an object.

use std::{io::SeekFrom, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::HeaderMap;
use s3s::{TrailingHeaders, dto::StreamingBlob};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt},
    sync::mpsc,
};
use tokio_util::io::ReaderStream;

use crate::store::{BlobId, Blobs, NewBlob};

use super::{
    checksums::{Algorithm, Checksum, Digests, Sums},
    error::Failure,
};

/// The most that one request may bring.
const MAX_CONTENT: u64 = 5 * 1024 * 1024 * 1024;
/// Chunks between the connection and the thread that writes.
const CHUNKS_AHEAD: usize = 8;
const READ_SIZE: usize = 128 * 1024;
/// Segments opened before the first byte is sent, so that a replacement meanwhile does not touch the answer. More of them only
/// objects of very many parts have.
const OPENED_AHEAD: usize = 64;

/// What a client says about content that it sends.
pub(super) struct Expected {
    pub(super) content_md5: Option<String>,
    pub(super) checksums: [(Algorithm, Option<String>); 5],
    /// The algorithm that it names without giving a value in a header.
    pub(super) algorithm: Option<String>,
    pub(super) length: Option<i64>,
    /// Names of headers after the body.
    pub(super) trailer: Option<String>,
    pub(super) trailing: Option<TrailingHeaders>,
}

/// Content that is on disk and that no row names yet.
pub(super) struct Received {
    pub(super) blob: NewBlob,
    pub(super) size: u64,
    sums: Sums,
    /// The algorithm that the client verifies with.
    sent: Algorithm,
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

impl Expected {
    /// Nothing is expected: the content comes from here.
    pub(super) fn nothing() -> Self {
        Expected {
            content_md5: None,
            checksums: Algorithm::ALL.map(|algorithm| (algorithm, None)),
            algorithm: None,
            length: None,
            trailer: None,
            trailing: None,
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
            return Err(Failure::InvalidRequest("only one x-amz-checksum- header can be given".into()));
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

    /// Compares what was calculated with all that was said.
    fn verify(&self, received: &Received) -> Result<(), Failure> {
        if let Some(md5) = self.content_md5.as_deref() {
            let sent = BASE64_STANDARD.decode(md5).ok().filter(|md5| md5.len() == 16);
            let sent = sent.ok_or_else(|| Failure::InvalidDigest("Content-MD5".into()))?;
            if sent != received.sums.md5 {
                return Err(Failure::BadDigest("Content-MD5".into()));
            }
        }
        let Checksum { algorithm, value, .. } = &received.sent();
        let in_header =
            self.checksums.iter().find(|(given, _)| given == algorithm).and_then(|(_, value)| value.clone());
        let in_trailer = || {
            let value = |headers: &HeaderMap| headers.get(algorithm.header())?.to_str().ok().map(str::to_owned);
            self.trailing.as_ref().and_then(|trailing| trailing.read(value).flatten())
        };
        match in_header.or_else(in_trailer) {
            Some(sent) if sent != *value => Err(Failure::BadDigest(algorithm.name().into())),
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

/// Writes content to a new blob and checks it against what is expected of it. Calculates a checksum by the algorithm of the
/// client, `default` where it has none, and one by `besides`.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    expected: &Expected,
    default: Algorithm,
    besides: Option<Algorithm>,
) -> Result<Received, Failure> {
    let algorithm = expected.algorithm(default)?;
    if expected.length.is_some_and(|length| length.unsigned_abs() > MAX_CONTENT) {
        return Err(Failure::EntityTooLarge(MAX_CONTENT));
    }
    let (feed, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let blobs = Arc::clone(blobs);
    let writing = tokio::task::spawn_blocking(move || write(blobs, chunks, algorithm, besides));
    // On an error the channel closes without its end, and the writer leaves nothing.
    let pumped = pump(body, &feed).await;
    drop(feed);
    let written = writing.await.map_err(|error| Failure::Io { what: "writing the object", source: error.into() })?;
    let size = pumped?;
    let received = written?.ok_or(Failure::IncompleteBody)?;
    if expected.length.is_some_and(|length| length.unsigned_abs() != size) {
        return Err(Failure::IncompleteBody);
    }
    expected.verify(&received)?;
    Ok(received)
}

/// Passes chunks on, and at the end the mark that all have come.
async fn pump(body: Option<StreamingBlob>, feed: &mpsc::Sender<Option<Bytes>>) -> Result<u64, Failure> {
    let mut size = 0u64;
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| body_error(&error.to_string()))?;
            size += chunk.len() as u64;
            if size > MAX_CONTENT {
                return Err(Failure::EntityTooLarge(MAX_CONTENT));
            }
            if feed.send(Some(chunk)).await.is_err() {
                // The writer has failed and says why itself.
                return Ok(size);
            }
        }
    }
    drop(feed.send(None).await);
    Ok(size)
}

/// The s3s crate keeps the types of these errors to itself.
fn body_error(text: &str) -> Failure {
    match text {
        text if text.contains("Sha256Mismatch") => Failure::ContentSha256Mismatch,
        text if text.contains("Incomplete") || text.contains("LengthMismatch") => Failure::IncompleteBody,
        text => Failure::Body(text.to_owned()),
    }
}

fn write(
    blobs: Arc<Blobs>,
    mut chunks: mpsc::Receiver<Option<Bytes>>,
    sent: Algorithm,
    besides: Option<Algorithm>,
) -> Result<Option<Received>, Failure> {
    let algorithms: Vec<Algorithm> = std::iter::once(sent).chain(besides).collect();
    let mut digests = Digests::new(&algorithms);
    let mut size = 0u64;
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
    Ok(Some(Received { blob: NewBlob::new(blobs, id), size, sums: digests.finish(), sent }))
}

/// A part of a blob to be read.
pub(super) struct Slice {
    pub(super) blob: BlobId,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A slice with its file already open, where it is.
struct Opened {
    slice: Slice,
    file: Option<std::fs::File>,
}

/// Opens slices for reading. A blob that is gone means that the object was replaced since its row was read.
pub(super) fn open(blobs: &Arc<Blobs>, slices: Vec<Slice>) -> std::io::Result<StreamingBlob> {
    let mut opened = Vec::with_capacity(slices.len());
    for (index, slice) in slices.into_iter().enumerate() {
        let file = if index < OPENED_AHEAD { Some(blobs.read(&slice.blob)?) } else { None };
        opened.push(Opened { slice, file });
    }
    let blobs = Arc::clone(blobs);
    let streams = stream::iter(opened).then(move |opened| read(Arc::clone(&blobs), opened));
    Ok(StreamingBlob::wrap(streams.try_flatten()))
}

async fn read(
    blobs: Arc<Blobs>,
    opened: Opened,
) -> std::io::Result<impl futures::Stream<Item = std::io::Result<Bytes>> + Send + Sync> {
    let Opened { slice, file } = opened;
    let file = match file {
        Some(file) => file,
        None => blobs.read(&slice.blob)?,
    };
    let mut file = tokio::fs::File::from_std(file);
    if slice.offset > 0 {
        file.seek(SeekFrom::Start(slice.offset)).await?;
    }
    Ok(ReaderStream::with_capacity(file.take(slice.length), READ_SIZE))
}
