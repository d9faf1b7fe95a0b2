//! Where an environment lives on disk: one directory an environment, private to the user.
//!
//! It knows paths and nothing of what is in the files.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{env_vars, topology::shorten};

/// Longest path that a Unix socket can have, on every platform.
const SOCKET_PATH: usize = 100;

/// The directory that holds every environment of this user.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// No directory could be found for environments.
#[derive(Debug, thiserror::Error)]
#[error("there is no place for environments: set {} to a directory, or set HOME", env_vars::HOME)]
pub struct NoHome;

impl Home {
    /// Finds the directory: `DECOUPLE_HOME`, else `$XDG_STATE_HOME/decouple`, else `~/.local/state/decouple`.
    pub fn find() -> Result<Self, NoHome> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set(env_vars::HOME)
            .or_else(|| set("XDG_STATE_HOME").map(|state| state.join("decouple")))
            .or_else(|| set("HOME").map(|home| home.join(".local/state/decouple")))
            .map(|path| Self(std::path::absolute(&path).unwrap_or(path)))
            .ok_or(NoHome)
    }

    /// Returns the place of one environment, whether it exists or not.
    pub fn environment(&self, name: &str) -> Place {
        Place(self.0.join(name))
    }

    /// Returns the directory in which worker bundles are kept. No environment's name begins with a dot.
    pub fn bundles(&self) -> PathBuf {
        self.0.join(".bundles")
    }

    /// Lists the names of the environments that exist, in order.
    pub fn environments(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && self.environment(&name).exists()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

/// The directory of one environment.
#[derive(Debug, Clone)]
pub struct Place(PathBuf);

impl Place {
    /// Names a place by its path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Tells whether an environment was ever brought up here.
    pub fn exists(&self) -> bool {
        self.plan().is_file()
    }

    /// Makes the directories, readable by this user only: the environment's credentials and photos are in them.
    pub fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for path in [self.0.clone(), self.data(), self.instances(), self.logs()] {
            builder.create(path)?;
        }
        Ok(())
    }

    /// What should run: written before anything is changed, so that a crash leaves what was wanted.
    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    /// The ports and credentials that the environment keeps from one `up` to the next.
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// Held while a run changes the environment.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Held by the background process for as long as it runs.
    pub fn daemon_lock(&self) -> PathBuf {
        self.0.join("daemon.lock")
    }

    /// What the background process says.
    pub fn daemon_log(&self) -> PathBuf {
        self.0.join("daemon.log")
    }

    /// Messages, objects and the catalog.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// One file an instance that runs: its process id, for a background process that comes after a crash.
    pub fn instances(&self) -> PathBuf {
        self.0.join("instances")
    }

    /// One directory a group, one file an instance.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Where the background process listens. The path of a socket is limited to some 100 bytes, so a deep directory's
    /// stands in the temporary directory, in a directory of this user's own.
    pub fn socket(&self) -> PathBuf {
        let path = self.0.join("control.sock");
        if path.as_os_str().len() <= SOCKET_PATH {
            return path;
        }
        let owner = fs::metadata(&self.0).map_or(0, |metadata| metadata.uid());
        let name = shorten(&path.to_string_lossy(), 9);
        env::temp_dir().join(format!("decouple-{owner}")).join(format!("{}.sock", name.trim_start_matches('-')))
    }
}
