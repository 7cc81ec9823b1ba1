//! The arguments of `#[cache_invalidate]` and `#[cache_put]`, and attributes on attributes.

use cacheable_runtime::{Error, MethodCounts, Runtime, cache_invalidate, cache_put, cacheable};

use super::Loads;
use crate::on_every_store;
use crate::stores::Store;

on_every_store![
    patterns_remove_what_they_match,
    a_method_removes_its_entry_alone,
    several_targets_all_go,
    only_a_success_removes,
    when_and_unless_decide,
    before_removes_before_too,
    a_failure_can_be_reported,
    a_put_stores_under_the_other_method,
    a_put_that_keeps_nothing_removes,
    attributes_are_stacked,
];

struct Service {
    runtime: Runtime,
    tenant: String,
    loads: Loads,
}

#[derive(Debug)]
enum Failed {
    Own,
    Cache(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

struct Update {
    team: String,
    id: u64,
}

impl Service {
    async fn on(store: &Store) -> Self {
        Self {
            runtime: store.runtime().await,
            tenant: "t:1".to_owned(),
            loads: Loads::default(),
        }
    }

    fn counts(&self, label: &str) -> MethodCounts {
        self.runtime.observe().method(label)
    }

    /// Which of the six entries had gone; all are there afterwards.
    async fn gone(&self) -> Vec<(&'static str, u64)> {
        let mut gone = Vec::new();
        for team in ["red", "blue"] {
            for id in 1..=3 {
                let before = self.loads.count();
                self.member(team, id).await.unwrap();
                if self.loads.count() > before {
                    gone.push((team, id));
                }
            }
        }
        gone
    }

    #[cacheable(ttl = 600, key_prefix = "i", none_ttl = 60, runtime = self.runtime)]
    pub(crate) async fn member(&self, team: &str, id: u64) -> Result<Option<u64>, Failed> {
        let _ = team;
        Ok(Some(self.loads.next() * 10 + id))
    }

    #[cacheable(ttl = 600, key_prefix = "i", key = "{self.tenant}:{id}", runtime = self.runtime)]
    pub(crate) async fn of_tenant(&self, id: u64) -> u64 {
        self.loads.next() * 10 + id
    }

    #[cache_invalidate("cache:i:*", runtime = self.runtime)]
    async fn all(&self) {}

    #[cache_invalidate("cache:i:member:{update.team}:*", runtime = self.runtime)]
    async fn team(&self, update: Update) -> u64 {
        update.id
    }

    #[cache_invalidate("cache:i:m?mber:*:[23]", runtime = self.runtime)]
    async fn two_and_three(&self) {}

    #[cache_invalidate("cache:i:*:{self.tenant}:{id}", runtime = self.runtime)]
    async fn tenant_entry(&self, id: u64) {
        let _ = id;
    }

    #[cache_invalidate(method(Self::member("red", id)), name = "a label", runtime = self.runtime)]
    async fn red(&self, id: u64) {
        let _ = id;
    }

    #[cache_invalidate(method(self.of_tenant(id)), runtime = self.runtime)]
    async fn tenant_method(&self, id: u64) {
        let _ = id;
    }

    #[cache_invalidate(
        method(Self::member(&update.team, update.id)),
        method(self.member("blue", 3)),
        "cache:i:member:red:2",
        "cache:i:nothing:*",
        runtime = self.runtime
    )]
    async fn several(&self, update: Update) {
        drop(update);
    }

    #[cache_invalidate("cache:i:*", runtime = self.runtime)]
    async fn result(&self, fails: bool) -> Result<(), Failed> {
        if fails { Err(Failed::Own) } else { Ok(()) }
    }

    #[cache_invalidate("cache:i:*", runtime = self.runtime)]
    async fn option(&self, there: bool) -> Option<u64> {
        there.then_some(1)
    }

    #[cache_invalidate("cache:i:*", runtime = self.runtime)]
    async fn result_option(&self, there: bool) -> Result<Option<u64>, Failed> {
        Ok(there.then_some(1))
    }

    #[cache_invalidate("cache:i:*", when = id > 1, unless = |value| *value == 3, runtime = self.runtime)]
    async fn conditional(&self, id: u64) -> Result<u64, Failed> {
        Ok(id)
    }

    /// Returns what its body found gone.
    #[cache_invalidate("cache:i:*", before, runtime = self.runtime)]
    async fn early(&self, fails: bool) -> Result<usize, usize> {
        let gone = self.gone().await.len();
        if fails { Err(gone) } else { Ok(gone) }
    }

    #[cache_invalidate("cache:i:member:red:{a}{a}{a}{a}{a}{a}{a}", on_failure = "error", runtime = self.runtime)]
    async fn reporting(&self, a: &str, fails: bool) -> Result<u64, Failed> {
        let _ = a;
        if fails { Err(Failed::Own) } else { Ok(1) }
    }

    #[cache_put(method(Self::member("red", id)), runtime = self.runtime)]
    async fn put(&self, id: u64, value: Option<u64>) -> Result<Option<u64>, Failed> {
        let _ = id;
        value.map_or(Err(Failed::Own), |value| Ok((value > 0).then_some(value)))
    }

    #[cache_put(
        method(Self::member("red", id)),
        when = id != 1,
        unless = |value| *value == 77,
        runtime = self.runtime
    )]
    async fn put_if(&self, id: u64, value: u64) -> Option<u64> {
        let _ = id;
        Some(value)
    }

    #[cache_invalidate("cache:i:member:red:*", runtime = self.runtime)]
    #[cacheable(ttl = 600, key_prefix = "stacked", runtime = self.runtime)]
    #[cache_invalidate("cache:i:member:blue:{id}", runtime = self.runtime)]
    async fn stacked(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cache_put(method(Self::member("red", id)), runtime = self.runtime)]
    #[cache_invalidate("cache:i:member:blue:*", runtime = self.runtime)]
    async fn put_and_invalidate(&self, id: u64) -> Option<u64> {
        Some(id * 1_000)
    }
}

fn update(team: &str, id: u64) -> Update {
    Update {
        team: team.to_owned(),
        id,
    }
}

const NONE: [(&str, u64); 0] = [];
const RED: [(&str, u64); 3] = [("red", 1), ("red", 2), ("red", 3)];

async fn patterns_remove_what_they_match(store: Store) {
    let service = Service::on(&store).await;
    assert_eq!(service.gone().await.len(), 6);
    assert_eq!(service.gone().await, NONE);
    service.all().await;
    assert_eq!(service.gone().await.len(), 6);
    service.team(update("red", 9)).await;
    assert_eq!(service.gone().await, RED);
    service.team(update("*", 9)).await;
    service.team(update("r?d", 9)).await;
    assert_eq!(service.gone().await, NONE);
    service.two_and_three().await;
    let two_and_three = [("red", 2), ("red", 3), ("blue", 2), ("blue", 3)];
    assert_eq!(service.gone().await, two_and_three);
    service.of_tenant(5).await;
    service.tenant_entry(6).await;
    assert_eq!(
        service
            .loads
            .of_three(async || service.of_tenant(5).await)
            .await,
        0
    );
    service.tenant_entry(5).await;
    assert_eq!(
        service
            .loads
            .of_three(async || service.of_tenant(5).await)
            .await,
        1
    );
    assert_eq!(service.gone().await, NONE);
    assert_eq!(service.counts("team").invalidations, 3);
}

async fn a_method_removes_its_entry_alone(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    service.red(2).await;
    assert_eq!(service.gone().await, [("red", 2)]);
    service.red(7).await;
    assert_eq!(service.gone().await, NONE);
    assert_eq!(service.counts("a label").invalidations, 2);
    service.of_tenant(5).await;
    service.tenant_method(4).await;
    assert_eq!(
        service
            .loads
            .of_three(async || service.of_tenant(5).await)
            .await,
        0
    );
    service.tenant_method(5).await;
    assert_eq!(
        service
            .loads
            .of_three(async || service.of_tenant(5).await)
            .await,
        1
    );
}

async fn several_targets_all_go(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    service.several(update("red", 1)).await;
    assert_eq!(service.gone().await, [("red", 1), ("red", 2), ("blue", 3)]);
}

async fn only_a_success_removes(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    service.result(true).await.unwrap_err();
    assert_eq!(service.gone().await, NONE);
    service.result(false).await.unwrap();
    assert_eq!(service.gone().await.len(), 6);
    service.option(false).await;
    assert_eq!(service.gone().await, NONE);
    service.option(true).await;
    assert_eq!(service.gone().await.len(), 6);
    // It succeeded, whatever it found.
    service.result_option(false).await.unwrap();
    assert_eq!(service.gone().await.len(), 6);
    assert_eq!(service.counts("result").invalidations, 1);
}

async fn when_and_unless_decide(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    for (id, gone) in [(1, 0), (2, 6), (3, 0)] {
        service.conditional(id).await.unwrap();
        assert_eq!(service.gone().await.len(), gone, "{id}");
    }
}

async fn before_removes_before_too(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    assert_eq!(service.early(false).await, Ok(6));
    assert_eq!(service.gone().await.len(), 6, "not after it");
    assert_eq!(service.early(true).await, Err(6));
    assert_eq!(service.gone().await, NONE, "after a failure");
}

async fn a_failure_can_be_reported(store: Store) {
    let service = Service::on(&store).await;
    assert_eq!(service.reporting("a", false).await.unwrap(), 1);
    assert!(matches!(
        service.reporting("a", true).await,
        Err(Failed::Own)
    ));
    assert_eq!(service.counts("reporting").invalidation_errors, 0);
    // A pattern that no key is long enough for cannot be made.
    let secret = "s".repeat(190);
    match service.reporting(&secret, false).await {
        Err(Failed::Cache(error)) => {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("ssss"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        service.reporting(&secret, true).await,
        Err(Failed::Own)
    ));
    assert_eq!(service.counts("reporting").invalidation_errors, 1);
}

async fn a_put_stores_under_the_other_method(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    service.put(2, Some(99)).await.unwrap();
    assert_eq!(service.member("red", 2).await.unwrap(), Some(99));
    service.put(9, Some(98)).await.unwrap();
    assert_eq!(service.member("red", 9).await.unwrap(), Some(98));
    assert_eq!(service.gone().await, NONE);
    assert_eq!(service.counts("put").invalidations, 2);
}

async fn a_put_that_keeps_nothing_removes(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    // The write failed: what is cached is not known to be old.
    service.put(1, None).await.unwrap_err();
    let old = service.member("red", 1).await.unwrap();
    assert_ne!(old, Some(0));
    service.gone().await;
    service.put(2, Some(0)).await.unwrap();
    assert_eq!(service.gone().await, [("red", 2)]);
    service.put_if(2, 77).await;
    assert_eq!(service.gone().await, [("red", 2)]);
    service.put_if(1, 5).await;
    assert_eq!(service.gone().await, NONE);
    service.put_if(2, 78).await;
    assert_eq!(service.member("red", 2).await.unwrap(), Some(78));
}

async fn attributes_are_stacked(store: Store) {
    let service = Service::on(&store).await;
    service.gone().await;
    let first = service.stacked(2).await;
    let gone = [("red", 1), ("red", 2), ("red", 3), ("blue", 2)];
    assert_eq!(service.gone().await, gone);
    // The compiler expands the first attribute first, so the last one stands
    // around all others: a hit is a success for it, and nothing inside runs.
    assert_eq!(service.stacked(2).await, first);
    assert_eq!(service.gone().await, [("blue", 2)]);
    service.put_and_invalidate(3).await;
    let gone = [("blue", 1), ("blue", 2), ("blue", 3)];
    assert_eq!(service.gone().await, gone);
    assert_eq!(service.member("red", 3).await.unwrap(), Some(3_000));
}
