//! Fills a database with real records: the packages of this workspace's own
//! `Cargo.lock`.

use std::error::Error;
use std::path::Path;

use serde::Deserialize;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

/// A new database in `directory`, filled, and how many packages it holds.
pub async fn fill(directory: &Path) -> Result<(SqlitePool, usize), Box<dyn Error>> {
    // A file, as each connection to `:memory:` would see a database of its own;
    // with a write-ahead log, so that readers and a writer do not wait for one
    // another.
    let file = SqliteConnectOptions::new()
        .filename(directory.join("packages.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(file)
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;

    let LockFile { packages } = toml::from_str(LOCK_FILE)?;
    let mut transaction = pool.begin().await?;
    for package in &packages {
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO packages (name, version, source, checksum) VALUES (?, ?, ?, ?)
             RETURNING id",
        )
        .bind(&package.name)
        .bind(&package.version)
        .bind(&package.source)
        .bind(&package.checksum)
        .fetch_one(&mut *transaction)
        .await?;
        for dependency in &package.dependencies {
            // `name`, or `name version` where two versions are in use.
            let mut words = dependency.split(' ');
            sqlx::query("INSERT INTO dependencies (package, name, version) VALUES (?, ?, ?)")
                .bind(id)
                .bind(words.next())
                .bind(words.next())
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok((pool, packages.len()))
}

const SCHEMA: &str = "
    CREATE TABLE packages (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        source TEXT,
        checksum TEXT,
        yanked BOOLEAN NOT NULL DEFAULT FALSE,
        UNIQUE (name, version)
    );
    CREATE TABLE dependencies (
        package INTEGER NOT NULL REFERENCES packages (id),
        name TEXT NOT NULL,
        version TEXT
    );
    CREATE INDEX dependencies_by_name ON dependencies (name);
    CREATE INDEX dependencies_by_package ON dependencies (package);
";

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "package")]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}
