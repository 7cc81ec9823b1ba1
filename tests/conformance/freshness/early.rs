//! `refresh_ahead` and `beta`: loaded again before the end, behind the hits.
//! And `jitter`, so that what was loaded together does not end together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{ManualClock, Outcome, Runtime, cacheable, with_outcome};
use cacheable_tests::eventually;

use super::origin::{Origin, Step};
use crate::on_every_store;
use crate::source::Broken;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    a_late_hit_has_the_value_loaded_behind_it,
    a_late_hit_on_a_reference_waits_for_the_new_value,
    an_early_refresh_that_fails_is_counted_and_raised_to_nobody,
    a_caller_that_goes_away_does_not_end_an_early_refresh,
    lives_are_spread_over_the_share_of_the_jitter,
];

/// An early refresh begins after half a second, and the value lives for ten.
const TTL: Duration = Duration::from_secs(10);
const AHEAD: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct Service {
    runtime: Runtime,
    origin: Arc<Origin>,
}

impl Service {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            origin: Arc::default(),
        }
    }

    fn ttl(&self) -> Duration {
        if self.origin.is_old() { LONG } else { TTL }
    }

    #[cacheable(
        ttl = self.ttl(),
        jitter = 0.0,
        refresh_ahead = 0.05,
        key_prefix = "early",
        runtime = self.runtime
    )]
    pub(crate) async fn inline(&self) -> Result<u64, Broken> {
        self.origin.load().await
    }

    #[cacheable(ttl = 1000, jitter = 0.2, key_prefix = "early", runtime = self.runtime)]
    pub(crate) async fn spread(&self, id: u32) -> u32 {
        id
    }
}

#[cacheable(
    ttl = service.ttl(),
    jitter = 0.0,
    refresh_ahead = 0.05,
    skip(service),
    key_prefix = "early",
    runtime = service.runtime
)]
async fn ahead(service: Service) -> Result<u64, Broken> {
    service.origin.load().await
}

async fn a_late_hit_has_the_value_loaded_behind_it(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(ahead(s.clone()).await, Ok(1));
    time.pass(AHEAD).await;
    s.origin.grow_old();
    s.origin.write();
    let held = s.origin.hold();
    for _ in 0..5 {
        let hit = with_outcome(ahead(s.clone())).await;
        assert_eq!(hit, (Ok(1), Some(Outcome::HitLocal)));
    }
    s.origin.begun(2).await;
    held.release();
    eventually("the new value is there", PATIENCE, async || {
        ahead(s.clone()).await == Ok(2)
    })
    .await;
    assert_eq!(s.origin.loads(), 2);
    let counts = s.runtime.observe().method("early.ahead");
    assert_eq!((counts.refreshes, counts.hits_stale), (1, 0));
}

async fn a_late_hit_on_a_reference_waits_for_the_new_value(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(s.inline().await, Ok(1));
    time.pass(AHEAD).await;
    s.origin.grow_old();
    s.origin.write();
    let hit = with_outcome(s.inline()).await;
    assert_eq!(hit, (Ok(2), Some(Outcome::Miss)));
    let hit = with_outcome(s.inline()).await;
    assert_eq!(hit, (Ok(2), Some(Outcome::HitLocal)));
    assert_eq!(s.origin.loads(), 2);
}

async fn an_early_refresh_that_fails_is_counted_and_raised_to_nobody(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(ahead(s.clone()).await, Ok(1));
    assert_eq!(s.inline().await, Ok(1));
    time.pass(AHEAD).await;
    s.origin.plan(Step::Fail);
    let hit = with_outcome(s.inline()).await;
    assert_eq!(hit, (Ok(1), Some(Outcome::HitLocal)), "it is fresh yet");
    s.origin.plan(Step::Fail);
    assert_eq!(ahead(s.clone()).await, Ok(1));
    for method in ["early.inline", "early.ahead"] {
        eventually(method, PATIENCE, async || {
            s.runtime.observe().method(method).load_errors == 1
        })
        .await;
    }
    assert_eq!(ahead(s.clone()).await, Ok(1));
    assert_eq!(s.inline().await, Ok(1));
    assert_eq!(s.origin.loads(), 4, "the source is left alone");
}

async fn a_caller_that_goes_away_does_not_end_an_early_refresh(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(ahead(s.clone()).await, Ok(1));
    time.pass(AHEAD).await;
    s.origin.grow_old();
    s.origin.write();
    let held = s.origin.hold();
    let caller = tokio::spawn(ahead(s.clone()));
    s.origin.begun(2).await;
    caller.abort();
    drop(caller.await);
    held.release();
    eventually("the new value is there", PATIENCE, async || {
        ahead(s.clone()).await == Ok(2)
    })
    .await;
    assert_eq!(s.origin.loads(), 2);
}

async fn lives_are_spread_over_the_share_of_the_jitter(store: Store) {
    let s = Service::new(store.runtime().await);
    let cache = s.runtime.cache();
    let mut tenths = [0; 10];
    for id in 0..1_000 {
        s.spread(id).await;
        let entry = cache.inspect(Service::spread_key(id)).await.unwrap();
        let entry = entry.expect("it was just loaded");
        let life = (entry.ttl + entry.age.unwrap()).as_millis();
        // To the rounding of the two.
        assert!((799_900..=1_000_100).contains(&life), "{life}");
        let tenth = usize::try_from(life.saturating_sub(800_000) / 20_000);
        tenths[tenth.unwrap().min(9)] += 1;
    }
    // A hundred each in the mean, give or take ten.
    assert!(tenths.iter().all(|&lives| lives > 50), "{tenths:?}");
}

/// Its loads take at least five milliseconds, and `beta` makes half a second
/// of that.
#[derive(Clone)]
pub(crate) struct Slow {
    runtime: Runtime,
    under_way: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Slow {
    async fn on(clock: &ManualClock) -> Self {
        Self {
            runtime: Runtime::builder().clock(clock).build().await.unwrap(),
            under_way: Arc::default(),
            most: Arc::default(),
        }
    }

    fn refreshes(&self) -> u64 {
        self.runtime.observe().method("early.by_chance").refreshes
    }

    /// Waits for the loads under way, which no clock waits for.
    async fn settled(&self) {
        tokio::task::yield_now().await;
        eventually("no load is under way", PATIENCE, async || {
            self.under_way.load(Ordering::SeqCst) == 0
        })
        .await;
    }
}

#[cacheable(
    ttl = 20,
    jitter = 0.0,
    beta = 100.0,
    skip(service),
    key_prefix = "early",
    runtime = service.runtime
)]
async fn by_chance(service: Slow, id: u32) -> u32 {
    let under_way = service.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    service.most.fetch_max(under_way, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(5)).await;
    service.under_way.fetch_sub(1, Ordering::SeqCst);
    id
}

/// Fifty readers of a value that lives for twenty seconds and takes half a
/// second to load, for three lives.
#[tokio::test]
async fn with_beta_no_reader_waits_once_the_value_is_there() {
    let clock = ManualClock::new();
    let slow = Slow::on(&clock).await;
    by_chance(slow.clone(), 1).await;
    for _ in 0..600 {
        clock.advance(Duration::from_millis(100));
        for _ in 0..50 {
            let (_, outcome) = with_outcome(by_chance(slow.clone(), 1)).await;
            assert_eq!(outcome, Some(Outcome::HitLocal));
        }
        slow.settled().await;
    }
    assert!((3..30).contains(&slow.refreshes()), "{}", slow.refreshes());
    assert_eq!(slow.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn with_beta_a_refresh_is_the_likelier_the_nearer_the_end() {
    let clock = ManualClock::new();
    let slow = Slow::on(&clock).await;
    for id in 0..300 {
        by_chance(slow.clone(), id).await;
    }
    let mut refreshed = Vec::new();
    let mut age = 0;
    // 19 s, 1 s and a tenth of one before the end, a hundred values each.
    for (group, millis) in [(0, 1_000), (1, 19_000), (2, 19_900)] {
        clock.advance(Duration::from_millis(millis - age));
        age = millis;
        let before = slow.refreshes();
        for id in 100 * group..100 * (group + 1) {
            by_chance(slow.clone(), id).await;
        }
        slow.settled().await;
        refreshed.push(slow.refreshes() - before);
    }
    assert!(refreshed.is_sorted_by(|a, b| a < b), "{refreshed:?}");
}
