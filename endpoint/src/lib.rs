//! S3, SQS and SNS on one loopback port, durable on disk, for any AWS SDK.
//!
//! The crate owns three things: the wire protocols that SDKs speak, the behaviour of the three services, and a store that
//! survives a crash. It knows nothing of who uses it: no topology, no project names, no SDK crate.
//!
//! ```text
//! server -> route -> auth -> sqs | sns | s3 -> store
//!                     wire (codecs) serves sqs and sns; s3 has its codec in the s3s crate
//! ```
//!
//! What is acknowledged is on disk: every change is committed with a flushed log before its answer leaves. Visibility
//! time-outs are kept too, though a client may rely only on at-least-once delivery.

mod admin;
mod auth;
mod body;
mod clock;
pub mod connections;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod hosts;
mod json;
mod names;
mod route;
mod s3;
mod server;
mod sns;
mod sqs;
pub mod stall;
mod store;
mod tags;
mod wire;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use hosts::{Hosts, is_from_another_site};
pub use server::ServeError;
pub use store::StoreError;

use clock::SystemClock;
use store::Store;

/// How long opening waits for an endpoint that is just ending to let go of the directory, and how often it looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// What an endpoint needs to know to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept; created when missing. One endpoint at a time may have it open.
    pub data_dir: PathBuf,
    /// The region in ARNs, such as `us-east-1`. Requests signed for another region are served all the same.
    pub region: String,
    /// The account in ARNs and queue URLs: 12 digits.
    pub account: String,
    /// The one key pair that requests must be signed with.
    pub credentials: Credentials,
}

impl Config {
    /// The account used by local stand-ins for AWS when nobody asks for another.
    pub const DEFAULT_ACCOUNT: &str = "000000000000";
}

/// An access key pair.
#[derive(Clone)]
pub struct Credentials {
    /// The public half, named in every signature.
    pub access_key_id: String,
    /// The secret half, never shown.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Why an endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The account is not 12 digits.
    #[error("the account {account:?} is not valid: give 12 digits, such as \"000000000000\"")]
    Account {
        /// What was given.
        account: String,
    },
    /// The region would make broken ARNs.
    #[error("the region {region:?} is not valid: give lowercase letters, digits and hyphens, such as \"us-east-1\"")]
    Region {
        /// What was given.
        region: String,
    },
    /// Half of the key pair is missing.
    #[error("the credentials are empty: give an access key id and a secret access key")]
    Credentials,
    /// The data directory could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An opened store with the three services on top, ready to serve.
pub struct Endpoint {
    services: route::Services,
    store: Arc<Store>,
    most_connections: usize,
}

impl Endpoint {
    /// Opens or creates the store in the data directory and removes files that a crash left unfinished.
    pub async fn open(config: Config) -> Result<Endpoint, OpenError> {
        check(&config)?;
        let store = open_store(&config.data_dir).await?;
        let store = Arc::new(store);
        let services = route::Services::new(&config, Arc::clone(&store), Arc::new(SystemClock));
        Ok(Endpoint { services, store, most_connections: server::MAX_CONNECTIONS })
    }

    /// Lets requests be addressed to other names and addresses than those of loopback.
    #[must_use]
    pub fn answering_to(mut self, hosts: Hosts) -> Endpoint {
        self.services.answer_to(hosts);
        self
    }

    /// Has no more than so many connections at a time. When there are as many, the one that has been without a request for
    /// longest is closed for the next.
    #[must_use]
    pub fn with_most_connections(mut self, most: usize) -> Endpoint {
        self.most_connections = most;
        self
    }

    /// Gives up on a request when no more of its body comes for so long.
    #[must_use]
    pub fn with_body_timeout(mut self, limit: Duration) -> Endpoint {
        self.services.wait_for_bodies(limit);
        self
    }

    /// Serves on `listener` until `shutdown` is cancelled: then ends long polls, finishes the requests in flight, and closes
    /// the store.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
        server::serve(self.services, self.store, listener, self.most_connections, shutdown).await
    }
}

/// Opens the store, waiting a little for an endpoint that is just ending to let go of the directory.
async fn open_store(directory: &Path) -> Result<Store, StoreError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        let directory = directory.to_owned();
        let opened = tokio::task::spawn_blocking(move || Store::open(&directory)).await;
        match opened.map_err(|panic| StoreError::Io { what: "opening the store".into(), source: panic.into() })? {
            Err(StoreError::Locked { .. }) if Instant::now() < give_up => tokio::time::sleep(LOCK_INTERVAL).await,
            opened => return opened,
        }
    }
}

fn check(config: &Config) -> Result<(), OpenError> {
    if config.account.len() != 12 || !config.account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OpenError::Account { account: config.account.clone() });
    }
    let region = config.region.as_bytes();
    if region.is_empty() || !region.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') {
        return Err(OpenError::Region { region: config.region.clone() });
    }
    if config.credentials.access_key_id.is_empty() || config.credentials.secret_access_key.is_empty() {
        return Err(OpenError::Credentials);
    }
    Ok(())
}
