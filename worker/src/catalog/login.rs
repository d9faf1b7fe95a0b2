//! The database's login where Secrets Manager keeps it: read at the start, and again when the database takes it no longer,
//! since it is rotated while workers run. It is in no log line and no error.

use std::{str::FromStr as _, time::Duration};

use aws_config::SdkConfig;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sqlx::{
    AnyConnection, AnyPool, Connection as _,
    any::{AnyConnectOptions, install_default_drivers},
    error::DatabaseError,
};
use tokio_util::sync::CancellationToken;

use super::CatalogError;

/// How often a login is tried. Connections that are open outlive a rotation, so nobody else would notice it soon.
const LOOK: Duration = Duration::from_secs(30);
/// PostgreSQL's codes for a login that it does not take.
const REFUSED: [&str; 2] = ["28P01", "28000"];

/// A secret as RDS makes it.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// Where the login is kept, and the URL that lacks it.
#[derive(Clone)]
pub(crate) struct Secret {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    url: String,
}

impl Secret {
    /// Names the secret of a database's URL.
    pub(crate) fn new(sdk: &SdkConfig, arn: &str, url: &str) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(sdk), arn: arn.to_owned(), url: url.to_owned() }
    }

    /// Reads the login, and returns how to connect with it.
    pub(super) async fn options(&self) -> Result<AnyConnectOptions, CatalogError> {
        let wrong = |why: String| CatalogError::Secret { arn: self.arn.clone(), why };
        let found = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let found = found.map_err(|error| wrong(error.into_service_error().to_string()))?;
        // What is in it is not repeated.
        let login: Login = serde_json::from_str(found.secret_string().unwrap_or_default())
            .map_err(|_| wrong("it does not hold `username` and `password` as JSON".to_owned()))?;
        let (user, password) = (encoded(&login.username), encoded(&login.password));
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return Err(wrong("the catalog's URL is none that takes a login".to_owned()));
        };
        install_default_drivers();
        Ok(AnyConnectOptions::from_str(&format!("{scheme}://{user}:{password}@{rest}"))?)
    }

    /// Tries the login from time to time until `finished`, and reads it again when it is refused.
    pub(super) async fn keep(&self, pool: &AnyPool, finished: &CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = finished.cancelled() => return,
            }
            self.renew(pool).await;
        }
    }

    /// Reads the login again where the database refuses the one that is used.
    pub(super) async fn renew(&self, pool: &AnyPool) {
        match AnyConnection::connect_with(&pool.connect_options()).await {
            Ok(connection) => drop(connection.close().await),
            Err(error) if is_refused(&error) => match self.options().await {
                Ok(options) => {
                    pool.set_connect_options(options);
                    tracing::info!("the database's login was rotated, and is read anew");
                }
                Err(error) => tracing::warn!("the database's login cannot be read: {error}"),
            },
            // It is away: whoever needs it says so.
            Err(_) => {}
        }
    }
}

/// Tells whether the database does not take the login.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| REFUSED.contains(&&*code))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
