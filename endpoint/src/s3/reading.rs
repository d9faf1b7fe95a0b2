//! Bytes of objects out, as a stream: memory does not grow with an object.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream};
use s3s::dto::StreamingBlob;

use crate::store::{BlobId, Blobs};

const READ_SIZE: usize = 512 * 1024;
/// Reads that go on while their predecessors are being sent.
const READS_AHEAD: usize = 2;
/// Segments opened before the first byte is sent, so that a replacement meanwhile does not touch the answer. More of them only
/// objects of very many parts have.
const OPENED_AHEAD: usize = 64;

/// A part of a blob to be read.
pub(super) struct Slice {
    pub(super) blob: BlobId,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A file that is open already, or will be once its turn comes.
#[derive(Clone)]
enum Source {
    Open(Arc<File>),
    Later(BlobId),
}

/// What is read at once.
struct Chunk {
    source: Source,
    offset: u64,
    length: usize,
}

/// Opens slices for reading. A blob that is gone means that the object was replaced since its row was read.
pub(super) fn open(blobs: &Arc<Blobs>, slices: Vec<Slice>) -> std::io::Result<StreamingBlob> {
    let mut sources = Vec::with_capacity(slices.len());
    for (index, slice) in slices.into_iter().enumerate() {
        let source = if index < OPENED_AHEAD {
            Source::Open(Arc::new(blobs.read(&slice.blob)?))
        } else {
            Source::Later(slice.blob.clone())
        };
        sources.push((source, slice));
    }
    let chunks = sources.into_iter().flat_map(|(source, slice)| chunks(&source, &slice));
    let blobs = Arc::clone(blobs);
    let reads =
        stream::iter(chunks).map(move |chunk| {
            let blobs = Arc::clone(&blobs);
            async move {
                tokio::task::spawn_blocking(move || chunk.read(&blobs)).await.map_err(std::io::Error::from).flatten()
            }
        });
    Ok(StreamingBlob::wrap(reads.buffered(READS_AHEAD)))
}

fn chunks(source: &Source, slice: &Slice) -> impl Iterator<Item = Chunk> + use<> {
    let (source, end) = (source.clone(), slice.offset + slice.length);
    (slice.offset..end).step_by(READ_SIZE).map(move |offset| Chunk {
        source: source.clone(),
        offset,
        length: usize::try_from(end - offset).unwrap_or(READ_SIZE).min(READ_SIZE),
    })
}

impl Chunk {
    fn read(self, blobs: &Blobs) -> std::io::Result<Bytes> {
        let file = match self.source {
            Source::Open(file) => file,
            Source::Later(blob) => Arc::new(blobs.read(&blob)?),
        };
        let mut bytes = vec![0; self.length];
        file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes.into())
    }
}
