//! What every test needs: a cloud of its own, a catalog of its own, workers, and a client.

mod client;
mod cloud;
pub(crate) mod crafted;
mod database;
pub(crate) mod moving;
pub(crate) mod processes;
mod proxy;
mod worker;

use std::{path::PathBuf, time::Duration};

pub(crate) use client::{Client, id};
pub(crate) use cloud::{Cloud, Queue};
pub(crate) use database::Database;
pub(crate) use proxy::{Deed, Operation, Proxy};
pub(crate) use worker::{Builder, Worker, lines, stopped_by_its_environment};

/// How long anything may take before a test gives up on it. The sweep acts after ten seconds, and machines are busy.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// Pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until the condition gives a value.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("waited {} s in vain: {what}", DEADLINE.as_secs()))
}

/// Returns one of the repository's photos.
pub(crate) fn photo(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/photos").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns a port that nobody listens on at present.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs the same tests on SQLite and on PostgreSQL.
macro_rules! on_both_catalogs {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::support::Database::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::support::Database::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_catalogs;
