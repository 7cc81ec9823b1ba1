//! How long entries live.

use std::collections::HashSet;
use std::time::Duration;

use cacheable_runtime::{Cache, IntoKey, ManualClock, Runtime, cacheable};
use cacheable_tests::eventually;

use super::Loads;
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    ttl_is_a_number_a_text_or_an_expression,
    ttl_ends_an_entry,
    jitter_shortens_within_its_share,
    none_ttl_keeps_none_for_a_life_of_its_own,
];

struct Service {
    cache: Cache,
    runtime: Runtime,
    life: Duration,
    loads: Loads,
}

const HALF: Duration = Duration::from_secs(300);

impl Service {
    async fn on(store: &Store) -> Self {
        Self::over(store.runtime().await)
    }

    fn over(runtime: Runtime) -> Self {
        Self {
            cache: runtime.cache(),
            runtime,
            life: HALF,
            loads: Loads::default(),
        }
    }

    async fn life_of(&self, key: impl IntoKey) -> Duration {
        let seen = self.cache.inspect(key).await.unwrap();
        seen.expect("there is an entry").ttl
    }

    #[cacheable(ttl = 300, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn number(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = "5m", key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn text(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = 60 * 5, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn product(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = HALF, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn constant(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = self.life, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn field(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = Duration::from_secs(id), key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn argument(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = "80ms", jitter = 0.0, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn short(&self) -> u64 {
        self.loads.next()
    }

    #[cacheable(ttl = 600, jitter = 0.5, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn jittered(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = 600, jitter = 0.0, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn steady(&self, id: u64) -> u64 {
        self.loads.next() + id
    }

    #[cacheable(ttl = 600, none_ttl = 60, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn maybe(&self, id: u64) -> Option<u64> {
        let load = self.loads.next();
        (id > 0).then_some(load)
    }

    #[cacheable(ttl = 600, none_ttl = self.life, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn tried(&self, id: u64) -> Result<Option<u64>, ()> {
        let load = self.loads.next();
        Ok((id > 0).then_some(load))
    }

    #[cacheable(ttl = 600, key_prefix = "o", runtime = self.runtime)]
    pub(crate) async fn never_none(&self, id: u64) -> Option<u64> {
        let load = self.loads.next();
        (id > 0).then_some(load)
    }
}

async fn ttl_is_a_number_a_text_or_an_expression(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(s.loads.of_three(async || s.number(1).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.text(1).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.product(1).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.constant(1).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.field(1).await).await, 1);
    assert_eq!(s.loads.of_three(async || s.argument(300).await).await, 1);
    for method in [
        "number:1",
        "text:1",
        "product:1",
        "constant:1",
        "field:1",
        "argument:300",
    ] {
        let life = s.life_of(format!("cache:o:{method}")).await;
        // The usual jitter takes a twentieth at most.
        assert!(
            life <= HALF && life > HALF.mul_f64(0.9),
            "{method}: {life:?}"
        );
    }
    s.argument(90).await;
    assert!(s.life_of("cache:o:argument:90").await <= Duration::from_secs(90));
    // No life is no entry.
    assert_eq!(s.loads.of_three(async || s.argument(0).await).await, 3);
}

async fn ttl_ends_an_entry(store: Store) {
    let service = Service::on(&store).await;
    eventually("it is loaded a third time", PATIENCE, async || {
        service.short().await == 3
    })
    .await;
}

async fn jitter_shortens_within_its_share(store: Store) {
    let service = Service::on(&store).await;
    let mut lives = HashSet::new();
    for id in 0..30 {
        service.jittered(id).await;
        service.steady(id).await;
        let life = service.life_of(Service::jittered_key(id)).await;
        assert!(life <= LONG && life > LONG.mul_f64(0.45), "{life:?}");
        lives.insert(life.as_secs());
        let life = service.life_of(Service::steady_key(id)).await;
        assert!(life <= LONG && life > LONG.mul_f64(0.95), "{life:?}");
    }
    // Thirty draws out of three hundred.
    assert!(lives.len() > 15, "{lives:?}");
}

async fn none_ttl_keeps_none_for_a_life_of_its_own(store: Store) {
    let service = Service::on(&store).await;
    let s = &service;
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.maybe(0).await, None))
            .await,
        1
    );
    assert_eq!(
        s.loads.of_three(async || s.maybe(1).await.unwrap()).await,
        1
    );
    assert!(s.life_of("cache:o:maybe:0").await <= Duration::from_secs(60));
    assert!(s.life_of("cache:o:maybe:1").await > Duration::from_secs(500));
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.tried(0).await, Ok(None)))
            .await,
        1
    );
    let life = s.life_of("cache:o:tried:0").await;
    assert!(life <= s.life && life > s.life / 2, "{life:?}");
    // Without it `None` is loaded each time.
    assert_eq!(
        s.loads
            .of_three(async || assert_eq!(s.never_none(0).await, None))
            .await,
        3
    );
    assert!(
        s.cache
            .inspect("cache:o:never_none:0")
            .await
            .unwrap()
            .is_none()
    );
}

/// Where the clock can be moved, to the millisecond.
#[tokio::test]
async fn lives_end_when_they_should() {
    let clock = ManualClock::new();
    let runtime = Runtime::builder().clock(&clock).build().await.unwrap();
    let service = Service::over(runtime);
    let s = &service;
    let second = Duration::from_secs(1);
    let load = s.steady(1).await;
    assert_eq!(s.maybe(0).await, None);
    let loads = s.loads.count();
    clock.advance(Duration::from_secs(56));
    assert_eq!((s.maybe(0).await, s.loads.count()), (None, loads));
    clock.advance(4 * second);
    assert_eq!((s.maybe(0).await, s.loads.count()), (None, loads + 1));
    clock.advance(Duration::from_secs(539));
    assert_eq!(s.steady(1).await, load);
    clock.advance(second);
    assert_ne!(s.steady(1).await, load);
}
