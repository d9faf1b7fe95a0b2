//! A catalog's database that belongs to one test: a SQLite file, or a PostgreSQL server.

use std::{
    os::unix::fs::{MetadataExt as _, chown},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use sqlx::{AnyPool, any::install_default_drivers};
use tempfile::TempDir;

use super::{eventually, free_port};

/// The user and group `nobody`: PostgreSQL does not run as root.
const NOBODY: u32 = 65_534;

pub(crate) struct Database {
    url: String,
    server: Option<Child>,
    _directory: TempDir,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("catalog.db").display());
        Self { url, server: None, _directory: directory }
    }

    pub(crate) async fn postgres() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().metadata().unwrap().uid() == 0;
        if root {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = directory.path().join("data");
        let made = program("initdb", root)
            .args(["--auth=trust", "--username=photos", "--no-sync", "--encoding=UTF8", "--pgdata"])
            .arg(&data)
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Whoever is not `photos` logs in with a password.
        let rules = data.join("pg_hba.conf");
        let trusted = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("host all app 127.0.0.1/32 scram-sha-256\n{trusted}")).unwrap();
        let port = free_port();
        let server = program("postgres", root)
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k"])
            .arg(directory.path())
            .current_dir(directory.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("postgres://photos@127.0.0.1:{port}/postgres");
        let database = Self { url, server: Some(server), _directory: directory };
        install_default_drivers();
        eventually("PostgreSQL answers", async || AnyPool::connect(database.url()).await.ok()).await.close().await;
        database
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn connect(&self) -> AnyPool {
        install_default_drivers();
        AnyPool::connect(&self.url).await.unwrap()
    }

    /// Returns the URL without its user.
    pub(crate) fn url_without_login(&self) -> String {
        self.url.replace("photos@", "")
    }

    /// Gives the user `app` a password, whether it is there or not, and ends its connections.
    pub(crate) async fn set_password(&self, password: &str) {
        let pool = self.connect().await;
        for statement in [
            "DO $$ BEGIN CREATE ROLE app SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$".to_owned(),
            format!("ALTER ROLE app PASSWORD '{password}'"),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'".to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
        }
        pool.close().await;
    }

    /// Makes everything that happened look as if it had been an hour ago.
    pub(crate) async fn let_an_hour_pass(&self) {
        self.run("UPDATE images SET changed_at = changed_at - 3600000, uploaded_at = uploaded_at - 3600000").await;
    }

    async fn run(&self, statement: &'static str) {
        let pool = self.connect().await;
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Makes every statement about photos fail.
    pub(crate) async fn hide_photos(&self) {
        self.run("ALTER TABLE images RENAME TO hidden").await;
    }

    /// Undoes [`Self::hide_photos`].
    pub(crate) async fn show_photos(&self) {
        self.run("ALTER TABLE hidden RENAME TO images").await;
    }

    /// Removes each photo's record as soon as it is made; for SQLite.
    pub(crate) async fn lose_new_photos(&self) {
        self.run("CREATE TRIGGER lost AFTER INSERT ON images BEGIN DELETE FROM images WHERE id = NEW.id; END").await;
    }

    /// Undoes [`Self::lose_new_photos`].
    pub(crate) async fn keep_new_photos(&self) {
        self.run("DROP TRIGGER lost").await;
    }

    /// Returns how many photos there are in whatever state.
    pub(crate) async fn rows(&self) -> i64 {
        let pool = self.connect().await;
        let rows = sqlx::query_scalar("SELECT COUNT(*) FROM images").fetch_one(&pool).await.unwrap();
        pool.close().await;
        rows
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // QUIT ends the server and its children at once; KILL would leave the children.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }
}

/// Returns a command of PostgreSQL's, as a user that it agrees to run as.
fn program(name: &str, root: bool) -> Command {
    let path = find(name);
    if !root {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups", "--"]).arg(path);
    command.stdout(Stdio::null());
    command
}

fn find(name: &str) -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = debian.chain(std::env::split_paths(&path)).collect();
    let found = places.iter().map(|place| place.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: install PostgreSQL's server, Debian's package postgresql"))
}
