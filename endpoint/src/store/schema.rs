//! The tables, and how an older store becomes a current one.

use std::{
    fs::{OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::StoreError;

/// Each step brings the schema from the version of its index to the next; a step, once released, never changes.
const MIGRATIONS: &[&str] = &[
    // 1: queues and messages, topics and subscriptions, buckets and objects.
    r"
    CREATE TABLE queue (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        name        TEXT NOT NULL UNIQUE,
        created_ms  INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        attributes  TEXT NOT NULL,
        tags        TEXT NOT NULL
    );
    -- `receipt` is the nonce of the last receive and NULL before the first one: a message that waits with a receipt is in
    -- flight, one that waits without is delayed.
    CREATE TABLE message (
        id                INTEGER PRIMARY KEY AUTOINCREMENT,
        queue_id          INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
        message_id        TEXT NOT NULL,
        body              TEXT NOT NULL,
        attributes        TEXT NOT NULL,
        trace_header      TEXT,
        sender            TEXT NOT NULL,
        sent_ms           INTEGER NOT NULL,
        visible_ms        INTEGER NOT NULL,
        receive_count     INTEGER NOT NULL DEFAULT 0,
        first_received_ms INTEGER,
        received_ms       INTEGER,
        receipt           INTEGER,
        dead_letter_from  TEXT
    );
    CREATE INDEX message_visible ON message (queue_id, visible_ms, id);
    CREATE INDEX message_age ON message (queue_id, sent_ms);

    CREATE TABLE move_task (
        id             INTEGER PRIMARY KEY AUTOINCREMENT,
        source_id      INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
        source_arn     TEXT NOT NULL,
        destination    TEXT,
        rate           INTEGER,
        status         TEXT NOT NULL,
        failure        TEXT,
        moved          INTEGER NOT NULL DEFAULT 0,
        to_move        INTEGER NOT NULL,
        last_id        INTEGER NOT NULL,
        started_ms     INTEGER NOT NULL
    );

    CREATE TABLE topic (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        name        TEXT NOT NULL UNIQUE,
        created_ms  INTEGER NOT NULL,
        attributes  TEXT NOT NULL,
        tags        TEXT NOT NULL
    );
    CREATE TABLE subscription (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        topic_id   INTEGER NOT NULL REFERENCES topic (id) ON DELETE CASCADE,
        uuid       TEXT NOT NULL UNIQUE,
        protocol   TEXT NOT NULL,
        endpoint   TEXT NOT NULL,
        attributes TEXT NOT NULL,
        UNIQUE (topic_id, protocol, endpoint)
    );

    CREATE TABLE bucket (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        name       TEXT NOT NULL UNIQUE,
        region     TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        tags       TEXT NOT NULL
    );
    -- Keys are bytes, so that they sort as S3 sorts them and a prefix's successor need not be valid text.
    CREATE TABLE object (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket_id   INTEGER NOT NULL REFERENCES bucket (id),
        key         BLOB NOT NULL,
        size        INTEGER NOT NULL,
        etag        TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        facts       TEXT NOT NULL,
        checksum    TEXT NOT NULL,
        tags        TEXT NOT NULL,
        UNIQUE (bucket_id, key)
    );
    -- An object is the concatenation of its segments: one for a plain put, one a part for a multipart upload.
    CREATE TABLE segment (
        object_id INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
        position  INTEGER NOT NULL,
        blob      TEXT NOT NULL,
        size      INTEGER NOT NULL,
        PRIMARY KEY (object_id, position)
    ) WITHOUT ROWID;
    CREATE TABLE upload (
        id           TEXT PRIMARY KEY,
        bucket_id    INTEGER NOT NULL REFERENCES bucket (id),
        key          BLOB NOT NULL,
        initiated_ms INTEGER NOT NULL,
        facts        TEXT NOT NULL,
        tags         TEXT NOT NULL,
        algorithm    TEXT NOT NULL,
        kind         TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX upload_key ON upload (bucket_id, key, id);
    CREATE TABLE part (
        upload_id   TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
        number      INTEGER NOT NULL,
        blob        TEXT NOT NULL,
        size        INTEGER NOT NULL,
        etag        TEXT NOT NULL,
        checksum    TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        PRIMARY KEY (upload_id, number)
    ) WITHOUT ROWID;
    ",
    S3_VERSIONS,
    ORDER_AND_DELIVERIES,
    ENDED_SUBSCRIPTIONS,
    SIGNATURES,
];

/// Objects get versions and settings, small ones get their bytes beside their row, so that the group's one flush covers them.
///
/// The newest version of a key has its highest id, so nothing marks it and there is one index to keep.
const S3_VERSIONS: &str = r"
    CREATE TABLE object_version (
        id          INTEGER PRIMARY KEY,
        bucket_id   INTEGER NOT NULL REFERENCES bucket (id),
        key         BLOB NOT NULL,
        version     TEXT NOT NULL,
        marker      INTEGER NOT NULL,
        size        INTEGER NOT NULL,
        etag        TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        facts       TEXT NOT NULL,
        checksum    TEXT NOT NULL,
        tags        TEXT NOT NULL,
        upload      TEXT
    );
    INSERT INTO object_version
        SELECT id, bucket_id, key, 'null', 0, size, etag, modified_ms, facts, checksum, tags, NULL FROM object;
    CREATE UNIQUE INDEX object_version_key ON object_version (bucket_id, key, id DESC);
    CREATE TABLE small_object (
        object_id INTEGER PRIMARY KEY REFERENCES object_version (id) ON DELETE CASCADE,
        bytes     BLOB NOT NULL
    );
    ALTER TABLE segment RENAME TO former_segment;
    CREATE TABLE segment (
        object_id INTEGER NOT NULL REFERENCES object_version (id) ON DELETE CASCADE,
        position  INTEGER NOT NULL,
        blob      TEXT NOT NULL,
        size      INTEGER NOT NULL,
        checksum  TEXT,
        PRIMARY KEY (object_id, position)
    ) WITHOUT ROWID;
    INSERT INTO segment SELECT object_id, position, blob, size, NULL FROM former_segment;
    DROP TABLE former_segment;
    DROP TABLE object;

    ALTER TABLE bucket ADD COLUMN versioning TEXT;
    ALTER TABLE bucket ADD COLUMN notification TEXT;
    CREATE TABLE bucket_setting (
        bucket_id INTEGER NOT NULL REFERENCES bucket (id) ON DELETE CASCADE,
        name      TEXT NOT NULL,
        value     TEXT NOT NULL,
        PRIMARY KEY (bucket_id, name)
    ) WITHOUT ROWID;
    ";

/// Queues and topics that keep an order, and messages on their way to HTTP servers.
///
/// A group's row says when its next message may be received, so that a receive never looks through groups that wait: `ready_ms`
/// is the latest of the times at which its first message and every received one become visible.
const ORDER_AND_DELIVERIES: &str = r"
    ALTER TABLE message ADD COLUMN group_id TEXT;
    ALTER TABLE message ADD COLUMN dedup_id TEXT;
    CREATE INDEX message_order ON message (queue_id, group_id, id) WHERE group_id IS NOT NULL;
    CREATE INDEX message_taken ON message (queue_id, group_id, visible_ms) WHERE group_id IS NOT NULL AND receipt IS NOT NULL;
    CREATE TABLE message_group (
        queue_id INTEGER NOT NULL REFERENCES queue (id) ON DELETE CASCADE,
        group_id TEXT NOT NULL,
        first_id INTEGER NOT NULL,
        ready_ms INTEGER NOT NULL,
        PRIMARY KEY (queue_id, group_id)
    ) WITHOUT ROWID;
    CREATE INDEX message_group_ready ON message_group (queue_id, ready_ms, first_id);
    -- What was sent in the last five minutes; `owner` is a queue or a topic by its id, `scope` a group or nothing.
    CREATE TABLE deduplication (
        owner      TEXT NOT NULL,
        scope      TEXT NOT NULL,
        dedup_id   TEXT NOT NULL,
        message_id TEXT NOT NULL,
        sequence   INTEGER NOT NULL,
        sent_ms    INTEGER NOT NULL,
        PRIMARY KEY (owner, scope, dedup_id)
    ) WITHOUT ROWID;
    CREATE INDEX deduplication_age ON deduplication (sent_ms);

    ALTER TABLE topic ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
    -- What confirms a subscription; those by queues need no confirmation and have none.
    ALTER TABLE subscription ADD COLUMN token TEXT;
    ALTER TABLE subscription ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
    -- Whether the confirmation was signed, and whether only a signed request may end the subscription.
    ALTER TABLE subscription ADD COLUMN authenticated INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE subscription ADD COLUMN guarded INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE delivery (
        id              INTEGER PRIMARY KEY AUTOINCREMENT,
        subscription_id INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
        message         TEXT NOT NULL,
        attempts        INTEGER NOT NULL DEFAULT 0,
        due_ms          INTEGER NOT NULL
    );
    CREATE INDEX delivery_due ON delivery (due_ms);
    CREATE INDEX delivery_subscription ON delivery (subscription_id);
    ";

/// 4: subscriptions that ended, which stay for a while in case their server wants them back; and no index of the messages of a
/// group that are taken, since a group waits for its first message alone.
const ENDED_SUBSCRIPTIONS: &str = "
    ALTER TABLE subscription ADD COLUMN ended_ms INTEGER;
    DROP INDEX message_taken;
    ";

/// 5: the key that messages are signed with, and what the endpoint itself has to say to topics and has not published yet.
const SIGNATURES: &str = "
    CREATE TABLE signing_key (
        id          INTEGER PRIMARY KEY CHECK (id = 1),
        private_key BLOB NOT NULL,
        certificate TEXT NOT NULL
    );
    CREATE TABLE announcement (
        id        INTEGER PRIMARY KEY AUTOINCREMENT,
        topic_arn TEXT NOT NULL,
        subject   TEXT NOT NULL,
        message   TEXT NOT NULL
    );
    ";

/// Folding the log into the database holds up whoever writes, for several flushes, so it is done once in so many pages: 16 MiB
/// of them, which the next start after a crash reads in a few milliseconds.
const PAGES_OF_LOG: i64 = 4000;
/// Enough for every statement of the crate, so that none is ever compiled twice.
const CACHED_STATEMENTS: usize = 128;

/// Opens the database for writing, with the settings that make a commit durable.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    make_private(path).map_err(StoreError::io(format!("creating {}", path.display())))?;
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_OF_LOG)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    configure(&connection)?;
    Ok(connection)
}

/// Creates the database as a file that nobody else reads: it has a private key. SQLite makes its log the same.
fn make_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Opens the database for reading only.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Without this a statement with a parameter in its LIMIT is planned anew whenever another value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Brings the schema to the current version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (version, step) in (found + 1..).zip(&MIGRATIONS[done..]) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A database in memory with the current schema, for tests of a service's SQL.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    migrate(&mut connection).unwrap();
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_store_is_refused() {
        let mut connection = in_memory();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(error.to_string().contains("schema version 99"), "{error}");
    }

    #[test]
    fn objects_of_the_first_schema_become_versions() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let rows = "INSERT INTO bucket (id, name, region, created_ms, tags) VALUES (1, 'b', 'us-east-1', 0, '{}');
             INSERT INTO object (id, bucket_id, key, size, etag, modified_ms, facts, checksum, tags)
                 VALUES (7, 1, x'6b', 3, 'tag', 5, '{}', '{}', '{}');
             INSERT INTO segment (object_id, position, blob, size) VALUES (7, 0, 'blob', 3);";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let sql = "SELECT o.version, o.marker, o.size, o.etag, s.blob FROM object_version o \
                   JOIN segment s ON s.object_id = o.id WHERE o.key = x'6b'";
        let found: (String, bool, i64, String, String) = connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap();
        assert_eq!(found, ("null".into(), false, 3, "tag".into(), "blob".into()));
        connection.execute("DELETE FROM object_version WHERE id = 7", []).unwrap();
        let left: i64 = connection.query_row("SELECT count(*) FROM segment", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = in_memory();
        migrate(&mut connection).unwrap();
    }
}
