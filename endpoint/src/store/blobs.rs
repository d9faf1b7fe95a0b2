//! Bytes of objects, in files named by an id of our own: a key never becomes a path.
//!
//! A blob is written under a temporary name, flushed, renamed to its place, and its directory flushed; only then may a row name
//! it. So every blob that a row names is whole, and a file that no row names is rubbish that the next start removes.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use uuid::Uuid;

use super::StoreError;

/// The name of a blob: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BlobId(String);

impl BlobId {
    fn new() -> Self {
        BlobId(Uuid::new_v4().simple().to_string())
    }
}

impl ToSql for BlobId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for BlobId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(|id| BlobId(id.to_owned()))
    }
}

/// The directory of blobs.
pub(crate) struct Blobs {
    root: PathBuf,
    unfinished: PathBuf,
}

impl Blobs {
    /// Opens or creates the directory, with all its 256 subdirectories, and empties the one of unfinished writes.
    pub(super) fn open(root: &Path) -> Result<Blobs, StoreError> {
        let unfinished = root.join("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(StoreError::io(format!("emptying {}", unfinished.display())))?;
        }
        fs::create_dir_all(&unfinished).map_err(StoreError::io(format!("creating {}", unfinished.display())))?;
        for shard in 0..=u8::MAX {
            let directory = root.join(hex::encode([shard]));
            fs::create_dir_all(&directory).map_err(StoreError::io(format!("creating {}", directory.display())))?;
        }
        flush_directory(root).map_err(StoreError::io(format!("flushing {}", root.display())))?;
        Ok(Blobs { root: root.to_owned(), unfinished })
    }

    /// Removes every blob that is not in `referenced`.
    pub(super) fn sweep(&self, referenced: &HashSet<BlobId>) -> Result<(), StoreError> {
        let failed = |path: &Path| StoreError::io(format!("sweeping {}", path.display()));
        for shard in 0..=u8::MAX {
            let directory = self.root.join(hex::encode([shard]));
            for entry in fs::read_dir(&directory).map_err(failed(&directory))? {
                let entry = entry.map_err(failed(&directory))?;
                let known = entry.file_name().into_string().is_ok_and(|name| referenced.contains(&BlobId(name)));
                if !known {
                    fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
                }
            }
        }
        Ok(())
    }

    /// Starts a new blob.
    pub(crate) fn create(&self) -> io::Result<BlobWriter<'_>> {
        let id = BlobId::new();
        let path = self.unfinished.join(&id.0);
        let file = File::create_new(&path)?;
        Ok(BlobWriter { blobs: self, id, path, file, finished: false })
    }

    /// Opens a blob for reading. One that is gone belonged to an object that was replaced or removed meanwhile.
    pub(crate) fn read(&self, id: &BlobId) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// A second blob with the same bytes, without copying them where the file system can share them.
    pub(crate) fn duplicate(&self, id: &BlobId) -> io::Result<BlobId> {
        let copy = BlobId::new();
        let path = self.path(&copy);
        if fs::hard_link(self.path(id), &path).is_err() {
            let mut writer = self.create()?;
            io::copy(&mut self.read(id)?, &mut writer.file)?;
            return writer.finish();
        }
        flush_parent(&path)?;
        Ok(copy)
    }

    /// Removes blobs that no row names any more. A failure only leaves rubbish for the next start.
    pub(crate) fn remove(&self, ids: &[BlobId]) {
        for id in ids {
            if let Err(error) = fs::remove_file(self.path(id)) {
                tracing::warn!(blob = id.0, %error, "a blob was not removed; the next start will remove it");
            }
        }
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.root.join(id.0.get(..2).unwrap_or_default()).join(&id.0)
    }
}

/// A finished blob that no row names yet. Dropped before it is kept, it takes its file along.
pub(crate) struct NewBlob {
    blobs: Arc<Blobs>,
    id: BlobId,
    kept: bool,
}

impl NewBlob {
    pub(crate) fn new(blobs: Arc<Blobs>, id: BlobId) -> Self {
        NewBlob { blobs, id, kept: false }
    }

    /// The id, before anything owns the file.
    pub(crate) fn id(&self) -> BlobId {
        self.id.clone()
    }

    /// The id, for the row that from now on owns the file.
    pub(crate) fn keep(mut self) -> BlobId {
        self.kept = true;
        self.id.clone()
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            self.blobs.remove(std::slice::from_ref(&self.id));
        }
    }
}

/// A blob that is being written. Dropped unfinished, it leaves nothing.
pub(crate) struct BlobWriter<'b> {
    blobs: &'b Blobs,
    id: BlobId,
    path: PathBuf,
    file: File,
    finished: bool,
}

impl BlobWriter<'_> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the blob durable under its id.
    pub(crate) fn finish(mut self) -> io::Result<BlobId> {
        self.file.sync_all()?;
        let path = self.blobs.path(&self.id);
        fs::rename(&self.path, &path)?;
        self.finished = true;
        flush_parent(&path)?;
        Ok(self.id.clone())
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "an unfinished blob was not removed; the next start will remove it");
        }
    }
}

fn flush_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), flush_directory)
}

/// Makes names in a directory durable: a renamed file can be lost until then.
fn flush_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(root: &Path) -> usize {
        fs::read_dir(root).unwrap().map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
    }

    #[test]
    fn an_unfinished_blob_leaves_nothing_and_an_unreferenced_one_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let mut abandoned = blobs.create().unwrap();
        abandoned.write(b"half").unwrap();
        drop(abandoned);
        assert_eq!(files(directory.path()), 0);

        let mut writer = blobs.create().unwrap();
        writer.write(b"whole").unwrap();
        let kept = writer.finish().unwrap();
        let copy = blobs.duplicate(&kept).unwrap();
        assert_eq!(files(directory.path()), 2);
        blobs.sweep(&HashSet::from([kept.clone()])).unwrap();
        assert_eq!(io::read_to_string(blobs.read(&kept).unwrap()).unwrap(), "whole");
        assert!(blobs.read(&copy).is_err());
    }
}
