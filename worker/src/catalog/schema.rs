//! The catalog's tables, in the SQL that SQLite and PostgreSQL share.

use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row};

use super::CatalogError;

/// Version of the tables that this build knows.
const VERSION: i64 = 1;
/// Any number that nobody else locks in the same database.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(4243525711)";

const TABLES: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS decouple_schema (version BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS images (
        id TEXT PRIMARY KEY,
        filename TEXT NOT NULL,
        content_type TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        width BIGINT NOT NULL,
        height BIGINT NOT NULL,
        uploaded_at BIGINT NOT NULL,
        state TEXT NOT NULL,
        changed_at BIGINT NOT NULL,
        sent_to TEXT,
        resize_state TEXT NOT NULL,
        resize_reason TEXT,
        renditions TEXT,
        tag_state TEXT NOT NULL,
        tag_reason TEXT,
        tags TEXT,
        pause BIGINT NOT NULL DEFAULT 0,
        traceparent TEXT,
        tracestate TEXT
    )",
    "CREATE INDEX IF NOT EXISTS images_by_time ON images (uploaded_at, id)",
    // What the sweep looks for is a handful of rows; without an index it would read them all every few seconds.
    "CREATE INDEX IF NOT EXISTS images_unfinished ON images (state, changed_at)
        WHERE state <> 'stored' OR resize_state = 'pending' OR tag_state = 'pending'",
    "CREATE TABLE IF NOT EXISTS terms (
        image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        term TEXT NOT NULL,
        PRIMARY KEY (image, term)
    )",
    "CREATE INDEX IF NOT EXISTS terms_by_term ON terms (term, image)",
];

/// Columns that came after the first release, of `images`. Builds that do not know of them work as before, so they make no version.
const LATER: [(&str, &str); 3] =
    [("pause", "BIGINT NOT NULL DEFAULT 0"), ("traceparent", "TEXT"), ("tracestate", "TEXT")];

/// Words are compared byte by byte, as SQLite does: only then is a range of them what begins with the same letters.
const COLLATED: &str = "SELECT COUNT(*) AS there FROM information_schema.columns WHERE table_schema = current_schema() \
                        AND table_name = 'terms' AND column_name = 'term' AND collation_name = 'C'";
const COLLATE: &str = "ALTER TABLE terms ALTER COLUMN term TYPE TEXT COLLATE \"C\"";

/// Sets up one connection.
pub(super) async fn prepare(connection: &mut AnyConnection, sqlite: bool) -> Result<(), sqlx::Error> {
    if sqlite {
        // Several workers write to one file: each waits for its turn. What was acknowledged survives a loss of power.
        for pragma in [
            "PRAGMA busy_timeout = 10000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
        ] {
            connection.execute(pragma).await?;
        }
    }
    Ok(())
}

/// Makes the tables. Several workers start at once, so one of them does it while the others wait.
pub(super) async fn migrate(pool: &AnyPool, sqlite: bool) -> Result<(), CatalogError> {
    let mut connection = pool.acquire().await?;
    let begin = if sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut transaction = connection.begin_with(begin).await?;
    if !sqlite {
        transaction.execute(POSTGRES_LOCK).await?;
    }
    for table in TABLES {
        transaction.execute(table).await?;
    }
    for (column, kind) in LATER {
        if !has_column(&mut transaction, sqlite, column).await? {
            let add = format!("ALTER TABLE images ADD COLUMN {column} {kind}");
            transaction.execute(sqlx::AssertSqlSafe(add)).await?;
        }
    }
    if !sqlite {
        // Builds that do not know of it work with it as before, so it makes no version.
        let there: i64 = sqlx::query(COLLATED).fetch_one(&mut *transaction).await?.try_get("there")?;
        if there == 0 {
            transaction.execute(COLLATE).await?;
        }
    }
    let found = sqlx::query("SELECT version FROM decouple_schema").fetch_optional(&mut *transaction).await?;
    match found.map(|row| row.try_get::<i64, _>("version")).transpose()? {
        None => {
            let insert = sqlx::query("INSERT INTO decouple_schema (version) VALUES ($1)").bind(VERSION);
            insert.execute(&mut *transaction).await?;
        }
        Some(VERSION) => {}
        Some(found) => return Err(CatalogError::Version { found, known: VERSION }),
    }
    transaction.commit().await?;
    Ok(())
}

async fn has_column(connection: &mut AnyConnection, sqlite: bool, column: &str) -> Result<bool, sqlx::Error> {
    let statement = if sqlite {
        "SELECT COUNT(*) AS there FROM pragma_table_info('images') WHERE name = $1"
    } else {
        "SELECT COUNT(*) AS there FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = 'images' AND column_name = $1"
    };
    let there: i64 = sqlx::query(statement).bind(column).fetch_one(connection).await?.try_get("there")?;
    Ok(there > 0)
}

#[cfg(test)]
mod tests {
    use sqlx::any::AnyPoolOptions;

    use super::*;

    #[tokio::test]
    async fn a_catalog_of_an_earlier_build_gets_the_columns_that_came_later() {
        sqlx::any::install_default_drivers();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("catalog.db").display());
        let pool = AnyPoolOptions::new().connect(&url).await.unwrap();
        migrate(&pool, true).await.unwrap();
        for (column, _) in LATER {
            let drop = format!("ALTER TABLE images DROP COLUMN {column}");
            pool.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
        }
        for _ in 0..2 {
            migrate(&pool, true).await.unwrap();
            let mut connection = pool.acquire().await.unwrap();
            for (column, _) in LATER {
                assert!(has_column(&mut connection, true, column).await.unwrap(), "{column}");
            }
        }
    }
}
