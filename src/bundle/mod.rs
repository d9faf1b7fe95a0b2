//! The bundle: everything that a worker needs on an instance, as one compressed file that is named by its SHA-256.

mod pack;
mod program;
#[cfg(test)]
mod tests;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Where a model of the user's own is on an instance.
pub const MODEL: &str = "/opt/decouple/model.onnx";
/// Where the labels of the user's own model are on an instance.
pub const LABELS: &str = "/opt/decouple/labels.tsv";
/// Name of the worker's program in the bundle.
const PROGRAM: &str = "decouple-worker";

/// A bundle that is ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Where the file is.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
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
    #[error("there are no parts of a worker bundle for {architecture}; looked in {}", looked.join(", "))]
    Missing {
        /// The architecture that was asked for.
        architecture: String,
        /// Where it was looked for.
        looked: Vec<String>,
    },
    /// A program or a library is for another processor than the instances'.
    #[error("{}: built for {found}, and the instances are {wanted}", path.display())]
    Architecture {
        /// The program or the library.
        path: PathBuf,
        /// What it was built for.
        found: &'static str,
        /// What the instances are.
        wanted: String,
    },
    /// A program or a library was linked against a newer C or C++ library than instances have.
    #[error("{}: needs {needs}, and Amazon Linux 2023 has {has}: it would not start there", path.display())]
    TooNew {
        /// The program or the library.
        path: PathBuf,
        /// The version that it needs.
        needs: String,
        /// The newest version that instances have.
        has: String,
    },
    /// What begins as a program or a library is none.
    #[error("{}: it is no program that can be read: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: object::Error,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BundleError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Finds the parts, packs them, and returns the bundle. Same parts give the same bytes. It blocks: for parts of some 60 MB
/// it takes seconds the first time.
pub fn build(wanted: &Wanted<'_>) -> Result<Bundle, BundleError> {
    build_from(wanted, &places(wanted.architecture))
}

/// Takes a bundle that is there.
pub fn given(file: &Path) -> Result<Bundle, BundleError> {
    let (sha256, bytes) = hash(file)?;
    Ok(Bundle { path: file.to_owned(), sha256, bytes })
}

/// Where `scripts/bundle` leaves the parts, seen from this program: beside it once installed, or in the build's directory.
fn places(architecture: &str) -> Vec<PathBuf> {
    let program = env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    let above = beside.and_then(Path::parent);
    [beside, above].into_iter().flatten().map(|place| place.join("bundle").join(architecture)).collect()
}

fn build_from(wanted: &Wanted<'_>, places: &[PathBuf]) -> Result<Bundle, BundleError> {
    let Some(directory) = places.iter().find(|place| place.join(PROGRAM).is_file()) else {
        return Err(BundleError::Missing {
            architecture: wanted.architecture.to_owned(),
            looked: places.iter().map(|place| place.display().to_string()).collect(),
        });
    };
    let parts = parts(wanted, directory)?;
    for part in parts.iter().filter(|part| part.executable) {
        program::check(&part.file, wanted.architecture)?;
    }
    let path = wanted.cache.join(format!("{}.tar.gz", fingerprint(&parts)?));
    if !path.is_file() {
        fs::create_dir_all(wanted.cache).map_err(BundleError::at(wanted.cache))?;
        pack::write(&parts, &path)?;
    }
    given(&path)
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Its name in the bundle.
    name: String,
    /// Where it is now.
    file: PathBuf,
    /// Whether it can be run.
    executable: bool,
}

/// Returns what goes into the bundle, in the order of the names.
fn parts(wanted: &Wanted<'_>, directory: &Path) -> Result<Vec<Part>, BundleError> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(directory).map_err(BundleError::at(directory))? {
        let file = entry.map_err(BundleError::at(directory))?.path();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        if file.is_file() {
            parts.push(Part {
                name: name.to_owned(),
                executable: name == PROGRAM || file.extension().is_some_and(|extension| extension == "so"),
                file,
            });
        }
    }
    let own = [(PROGRAM, wanted.program), (base(MODEL), wanted.model), (base(LABELS), wanted.labels)];
    for (name, file) in own {
        let Some(file) = file else { continue };
        parts.retain(|part| part.name != name);
        parts.push(Part { name: name.to_owned(), file: file.to_owned(), executable: name == PROGRAM });
    }
    parts.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(parts)
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Says which parts these are, by their names and what is in them.
fn fingerprint(parts: &[Part]) -> Result<String, BundleError> {
    let mut all = Sha256::new();
    for part in parts {
        let (sha256, _) = hash(&part.file)?;
        all.update(format!("{} {sha256}\n", part.name));
    }
    Ok(hex::encode(all.finalize()))
}

fn hash(file: &Path) -> Result<(String, u64), BundleError> {
    let mut opened = fs::File::open(file).map_err(BundleError::at(file))?;
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut opened, &mut hasher).map_err(BundleError::at(file))?;
    Ok((hex::encode(hasher.finalize()), bytes))
}
