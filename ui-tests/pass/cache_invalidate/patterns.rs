//! Patterns, with placeholders that no argument can widen.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Update {
    team: String,
    pair: (u64, u64),
}

#[cacheable(ttl = 60, key_prefix = "project")]
async fn project(team: &str, id: u64) -> u64 {
    id + LOADS.fetch_add(1, Ordering::Relaxed) * 100 + team.len() as u64 * 10
}

#[cache_invalidate("cache:project:*")]
async fn all() {}

#[cache_invalidate("cache:project:project:{team}:*")]
async fn of_team(team: String) -> Result<String, String> {
    Ok(team)
}

#[cache_invalidate("cache:project:project:{update.team}:{update.pair.1}")]
async fn one(update: Update) -> Option<Update> {
    Some(update)
}

#[cache_invalidate("cache:project:project:[ab]:?", r"cache:project:project:\*:1", "cache:{{x}}:*",)]
pub async fn several() -> u64 {
    7
}

/// Which of the four entries are still there.
async fn left() -> Vec<bool> {
    let mut left = Vec::new();
    for (team, id) in [("a", 1), ("b", 1), ("*", 1), ("a", 2)] {
        let before = LOADS.load(Ordering::Relaxed);
        project(team, id).await;
        left.push(LOADS.load(Ordering::Relaxed) == before);
    }
    left
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    left().await;
    assert_eq!(left().await, [true; 4]);
    all().await;
    assert_eq!(left().await, [false; 4]);
    assert_eq!(of_team("a".to_owned()).await.unwrap(), "a");
    assert_eq!(left().await, [false, true, true, false]);
    // A star is a star.
    of_team("*".to_owned()).await.unwrap();
    assert_eq!(left().await, [true, true, false, true]);
    let update = Update {
        team: "a".to_owned(),
        pair: (1, 2),
    };
    assert!(one(update.clone()).await.is_some());
    assert_eq!(left().await, [true, true, true, false]);
    assert_eq!(several().await, 7);
    assert_eq!(left().await, [false, false, true, false]);
    let _ = several();
}
