//! A service over a database, with its caching beside each method: the part
//! of this example that a service of yours would have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{cache_invalidate, cacheable};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqlitePool};

/// What the database knows about a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// Where it comes from; `None` for a package of the workspace itself.
    pub source: Option<String>,
    pub checksum: Option<String>,
    pub yanked: bool,
    pub dependencies: Vec<String>,
}

/// Packages by name. All tasks share one.
pub struct PackageService {
    pool: SqlitePool,
    queries: AtomicU64,
}

impl PackageService {
    pub fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            queries: AtomicU64::new(0),
        }
    }

    /// The package of this name, the newest if there are several. `None` is
    /// an answer too, and is kept for a minute.
    #[cacheable(ttl = 3600, none_ttl = 60, key_prefix = "package")]
    pub async fn package(&self, name: &str) -> Result<Option<Package>, sqlx::Error> {
        self.find(name).await
    }

    /// What depends on a package. An `Arc` is shared between the callers that
    /// wait for one load; nothing is copied for them.
    #[cacheable(ttl = "1h", key_prefix = "package")]
    pub async fn dependents(&self, name: &str) -> Result<Arc<Vec<String>>, sqlx::Error> {
        Ok(Arc::new(self.find_dependents(name).await?))
    }

    /// The names that hold a text, in order. Both arguments are in the key.
    #[cacheable(ttl = "10m", key_prefix = "search")]
    pub async fn search(&self, text: &str, limit: u32) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT DISTINCT name FROM packages WHERE instr(name, ?) > 0 ORDER BY name LIMIT ?",
        )
        .bind(text)
        .bind(limit)
        .fetch_all(self.database())
        .await
    }

    /// A page about a package. What writes the page has no place in a key.
    #[cacheable(ttl = "10m", key_prefix = "page", skip(write))]
    pub async fn page(
        &self,
        name: &str,
        write: impl AsyncFnOnce(Option<Package>) -> String,
    ) -> Result<String, sqlx::Error> {
        Ok(write(self.find(name).await?).await)
    }

    /// Takes all versions of a package back. Its record and its page are old
    /// then, and nothing else.
    #[cache_invalidate(method(Self::package(name)), "cache:page:*:{name}")]
    pub async fn yank(&self, name: &str) -> Result<u64, sqlx::Error> {
        let update = sqlx::query("UPDATE packages SET yanked = TRUE WHERE name = ?").bind(name);
        Ok(update.execute(self.database()).await?.rows_affected())
    }

    /// Undoes every yank. Any record and any page may be old then.
    #[cache_invalidate("cache:package:*", "cache:page:*")]
    pub async fn restore_all(&self) -> Result<u64, sqlx::Error> {
        let update = sqlx::query("UPDATE packages SET yanked = FALSE WHERE yanked");
        Ok(update.execute(self.database()).await?.rows_affected())
    }

    /// Adds a package. The `None` that is kept for its name is old then, and
    /// so is any search.
    #[cache_invalidate(method(Self::package(name)), "cache:page:*:{name}", "cache:search:*")]
    pub async fn add(&self, name: &str, version: &str) -> Result<u64, sqlx::Error> {
        let insert = sqlx::query("INSERT INTO packages (name, version) VALUES (?, ?)");
        let insert = insert.bind(name).bind(version);
        Ok(insert.execute(self.database()).await?.rows_affected())
    }

    /// [`dependents`](Self::dependents) without a cache.
    pub async fn find_dependents(&self, name: &str) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT packages.name || ' ' || packages.version
             FROM dependencies JOIN packages ON packages.id = dependencies.package
             WHERE dependencies.name = ? ORDER BY packages.id",
        )
        .bind(name)
        .fetch_all(self.database())
        .await
    }

    async fn find(&self, name: &str) -> Result<Option<Package>, sqlx::Error> {
        sqlx::query_as(
            "SELECT name, version, source, checksum, yanked,
                (SELECT group_concat(name, ' ') FROM dependencies WHERE package = packages.id)
                    AS dependencies
             FROM packages WHERE name = ? ORDER BY id DESC LIMIT 1",
        )
        .bind(name)
        .fetch_optional(self.database())
        .await
    }

    /// The database, for one query, which is counted.
    fn database(&self) -> &SqlitePool {
        self.queries.fetch_add(1, Ordering::Relaxed);
        &self.pool
    }

    /// How many queries have gone to the database.
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }
}

impl FromRow<'_, SqliteRow> for Package {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let dependencies: Option<&str> = row.try_get("dependencies")?;
        let dependencies = dependencies.unwrap_or_default().split_whitespace();
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            source: row.try_get("source")?,
            checksum: row.try_get("checksum")?,
            yanked: row.try_get("yanked")?,
            dependencies: dependencies.map(str::to_owned).collect(),
        })
    }
}
