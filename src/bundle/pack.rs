//! Packs parts into one compressed file. Nothing of when, where or by whom it was made is in it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::Path,
};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::{BundleError, Part};

/// Writes the file beside its place and renames it, so that what stands there is always whole.
pub(super) fn write(parts: &[Part], path: &Path) -> Result<(), BundleError> {
    let unfinished = path.with_extension(format!("part-{}", std::process::id()));
    let written =
        archive(parts, &unfinished).and_then(|()| fs::rename(&unfinished, path).map_err(BundleError::at(path)));
    if written.is_err() {
        // What is left of it is of no use to anybody.
        drop(fs::remove_file(&unfinished));
    }
    written
}

fn archive(parts: &[Part], path: &Path) -> Result<(), BundleError> {
    let file = File::create(path).map_err(BundleError::at(path))?;
    let compressed = GzBuilder::new().mtime(0).write(BufWriter::new(file), Compression::default());
    let mut builder = Builder::new(compressed);
    for part in parts {
        add(&mut builder, part).map_err(BundleError::at(&part.file))?;
    }
    let finish = || -> io::Result<()> { builder.into_inner()?.finish()?.flush() };
    finish().map_err(BundleError::at(path))
}

fn add(builder: &mut Builder<impl io::Write>, part: &Part) -> io::Result<()> {
    let file = File::open(&part.file)?;
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(file.metadata()?.len());
    header.set_mode(if part.executable { 0o755 } else { 0o644 });
    header.set_mtime(0);
    builder.append_data(&mut header, &part.name, file)
}
