//! What an environment keeps from one `up` to the next: its ports and its endpoint's credentials.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

/// The identity of one environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Port of the endpoint, once it had one.
    pub endpoint_port: Option<u16>,
    /// Port of the balancer, once it had one.
    pub balancer_port: Option<u16>,
    /// Access key id of the endpoint.
    pub access_key_id: String,
    /// Secret access key of the endpoint.
    pub secret_access_key: String,
    /// When the environment was made, RFC 3339 in UTC.
    pub created_at: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the identity, or makes one up where there is none.
    pub fn read_or_create(path: &Path) -> io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Self {
                    endpoint_port: None,
                    balancer_port: None,
                    access_key_id: format!("LOCAL{}", random_hex(8)?.to_uppercase()),
                    secret_access_key: random_hex(20)?,
                    created_at: jiff::Timestamp::now().to_string(),
                };
                identity.write(path)?;
                Ok(identity)
            }
            identity => identity,
        }
    }

    /// Reads the identity.
    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(path)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))
    }

    /// Writes the identity, readable by this user only.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_private(path, &serde_json::to_vec_pretty(self).map_err(io::Error::other)?)
    }
}

/// Writes a file that only this user can read, whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(hex::encode(random))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_stays_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.json");
        let first = Identity::read_or_create(&path).unwrap();
        assert_eq!(Identity::read_or_create(&path).unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(&first.secret_access_key));
    }

    #[test]
    fn a_broken_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.json");
        fs::write(&path, "{").unwrap();
        assert!(Identity::read_or_create(&path).unwrap_err().to_string().contains("identity.json"));
    }
}
