//! The catalog: photos' records in SQLite or PostgreSQL, by one set of statements that both understand.
//!
//! Every change is one statement, or one transaction that begins with a write, so a crash leaves a record either as it
//! was or as it should be. [`schema`] makes the tables, [`work`] holds what uploading, working and removing change,
//! [`sending`] where tasks went, [`search`] finds.

mod login;
mod schema;
mod search;
mod sending;
mod work;

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    AnyPool, Row,
    any::{AnyConnectOptions, AnyPoolOptions, AnyRow},
};
use tokio_util::sync::CancellationToken;

use crate::record::{Image, Part};

pub(crate) use login::Secret;
pub(crate) use search::Cursor;
pub(crate) use sending::Unsent;
pub(crate) use work::Work;

/// A connection is waited for this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of one worker. SQLite has one writer at a time anyway.
const CONNECTIONS: u32 = 4;

/// A statement failed, or a record is not what this build writes.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database said no, or nothing.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A column does not hold what this build writes.
    #[error("the record of {id} cannot be read: {why}")]
    Record {
        /// The photo.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// The database's login cannot be read.
    #[error("the secret {arn} with the database's login cannot be used: {why}")]
    Secret {
        /// The secret.
        arn: String,
        /// What is wrong.
        why: String,
    },
    /// A later build has changed the tables.
    #[error("the catalog is of schema version {found}, this worker knows version {known}; update the worker")]
    Version {
        /// Version that the database states.
        found: i64,
        /// Version that this build knows.
        known: i64,
    },
}

/// The catalog's connections.
#[derive(Clone)]
pub struct Catalog {
    pool: AnyPool,
    /// Where the login is kept, if not in the URL.
    secret: Option<Secret>,
}

impl Catalog {
    /// Opens a catalog by its URL, and makes its tables where they are not there. The login is in the URL or in the secret.
    pub(crate) async fn open(url: &str, secret: Option<Secret>) -> Result<Self, CatalogError> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        let options = match &secret {
            Some(secret) => secret.options().await?,
            None => AnyConnectOptions::from_str(url)?,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| Box::pin(schema::prepare(connection, sqlite)))
            .connect_with(options)
            .await?;
        schema::migrate(&pool, sqlite).await?;
        Ok(Self { pool, secret })
    }

    /// Asks the database whether it is there.
    pub(crate) async fn check(&self) -> Result<(), CatalogError> {
        let checked = sqlx::query("SELECT 1").execute(&self.pool).await;
        if let (Some(secret), Err(error)) = (&self.secret, &checked)
            && login::is_refused(error)
        {
            secret.renew(&self.pool).await;
        }
        checked?;
        Ok(())
    }

    /// Sees to it that the login is one that the database takes, until `finished`.
    pub(crate) async fn keep_login(&self, finished: &CancellationToken) {
        if let Some(secret) = &self.secret {
            secret.keep(&self.pool, finished).await;
        }
    }
}

/// The columns that a record is read from.
const COLUMNS: &str = "id, filename, content_type, bytes, width, height, uploaded_at, \
                       resize_state, resize_reason, renditions, tag_state, tag_reason, tags";

fn image(row: &AnyRow) -> Result<Image, CatalogError> {
    let id: String = row.try_get("id")?;
    let broken = |why: String| CatalogError::Record { id: id.clone(), why };
    let size = |column: &str| -> Result<u32, CatalogError> {
        let value: i64 = row.try_get(column)?;
        u32::try_from(value).map_err(|_| broken(format!("{column} is {value}")))
    };
    let bytes: i64 = row.try_get("bytes")?;
    Ok(Image {
        filename: row.try_get("filename")?,
        content_type: row.try_get("content_type")?,
        bytes: u64::try_from(bytes).map_err(|_| broken(format!("bytes is {bytes}")))?,
        width: size("width")?,
        height: size("height")?,
        uploaded_at: row.try_get("uploaded_at")?,
        resize: part(row, &id, ["resize_state", "resize_reason", "renditions"])?,
        tag: part(row, &id, ["tag_state", "tag_reason", "tags"])?,
        id,
    })
}

fn part<T: serde::de::DeserializeOwned>(row: &AnyRow, id: &str, columns: [&str; 3]) -> Result<Part<T>, CatalogError> {
    let broken = |why: String| CatalogError::Record { id: id.to_owned(), why };
    let [state, reason, results] = columns;
    let state: String = row.try_get(state)?;
    let reason: Option<String> = row.try_get(reason)?;
    match state.as_str() {
        "pending" => Ok(reason.map_or(Part::Pending, Part::GivenUp)),
        "failed" => Ok(Part::Failed(reason.unwrap_or_default())),
        "done" => {
            let json: Option<String> = row.try_get(results)?;
            serde_json::from_str(&json.unwrap_or_default())
                .map(Part::Done)
                .map_err(|error| broken(format!("{results}: {error}")))
        }
        other => Err(broken(format!("a state is `{other}`"))),
    }
}

/// Returns now in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
