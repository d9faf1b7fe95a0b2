//! The catalog: photos' records in SQLite or PostgreSQL, by one set of statements that both understand.
//!
//! Every change is one statement, or one transaction that begins with a write, so a crash leaves a record either as it
//! was or as it should be. [`schema`] makes the tables, [`work`] holds what uploading, working and sweeping change,
//! [`search`] finds.

mod schema;
mod search;
mod work;

use std::time::Duration;

use sqlx::{
    AnyPool, Row,
    any::{AnyPoolOptions, AnyRow},
};

use crate::record::{Image, Part};

pub(crate) use work::Unsent;

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
}

impl Catalog {
    /// Opens a catalog by its URL, and makes its tables where they are not there.
    pub async fn open(url: &str) -> Result<Self, CatalogError> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| Box::pin(schema::prepare(connection, sqlite)))
            .connect(url)
            .await?;
        schema::migrate(&pool, sqlite).await?;
        Ok(Self { pool })
    }

    /// Asks the database whether it is there.
    pub(crate) async fn check(&self) -> Result<(), CatalogError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
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
    match state.as_str() {
        "pending" => Ok(Part::Pending),
        "failed" => Ok(Part::Failed(row.try_get::<Option<String>, _>(reason)?.unwrap_or_default())),
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
