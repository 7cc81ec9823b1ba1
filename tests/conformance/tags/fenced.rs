//! A value whose load began before a tag, or a whole prefix, was removed is
//! answered with no more.

use cacheable_tests::eventually;
use tokio::task::JoinHandle;

use super::Service;
use crate::on_every_store;
use crate::stores::{PATIENCE, Store};

on_every_store![
    a_load_that_overlaps_a_tag_of_its_arguments,
    a_load_that_overlaps_a_tag_of_its_value,
    a_load_that_overlaps_a_removal_in_another_process,
    who_waits_for_it_loads_again,
    who_waits_for_it_loads_again_when_another_process_has_removed,
    a_load_of_another_process_that_overlaps_a_whole_prefix,
    a_load_under_another_tag_is_not_disturbed,
];

/// Which method, and what removes its entry by a tag.
#[derive(Clone, Copy, Debug)]
enum Way {
    Member,
    Record,
    Plain,
}

impl Service {
    async fn call(&self, way: Way) -> u64 {
        match way {
            Way::Member => self.member("a", 1).await,
            Way::Record => self.record(2).await.version,
            Way::Plain => self.plain(1).await,
        }
    }

    fn spawn(&self, way: Way) -> JoinHandle<u64> {
        let service = self.clone();
        tokio::spawn(async move { service.call(way).await })
    }

    async fn remove(&self, way: Way) -> u64 {
        match way {
            Way::Member => self.update_team("a").await.unwrap(),
            Way::Record => self.update_both("ada", "nobody").await,
            Way::Plain => self.update_plain().await,
        }
    }
}

/// Holds a load of `reader`, lets `writer` remove, and reads again in both.
async fn overlapped(reader: &Service, writer: &Service, way: Way) {
    reader.hold();
    let call = reader.spawn(way);
    reader.begun(1).await;
    assert_eq!(writer.remove(way).await, 2);
    reader.release(100);
    assert_eq!(call.await.unwrap(), 1, "it began before");
    for service in [writer, reader] {
        // The one that removed knows at once.
        if !std::ptr::eq(reader, writer) {
            eventually("it is heard of", PATIENCE, async || {
                service.call(way).await == 2
            })
            .await;
        }
        for _ in 0..3 {
            assert_eq!(service.call(way).await, 2, "{way:?}");
        }
    }
}

async fn a_load_that_overlaps_a_tag_of_its_arguments(store: Store) {
    let s = Service::new(store.runtime().await);
    overlapped(&s, &s, Way::Member).await;
    assert_eq!(s.loads(), 2);
}

async fn a_load_that_overlaps_a_tag_of_its_value(store: Store) {
    let s = Service::new(store.runtime().await);
    overlapped(&s, &s, Way::Record).await;
    assert_eq!(s.loads(), 2);
}

async fn a_load_that_overlaps_a_removal_in_another_process(store: Store) {
    for way in [Way::Member, Way::Record] {
        let store = store.neighbour();
        let s = Service::new(store.runtime().await);
        let other = s.over(store.beside(&s.runtime).await);
        overlapped(&s, &other, way).await;
    }
}

/// Its own process, or another one, removes while some wait for the load.
async fn waiters(reader: &Service, writer: &Service, way: Way) {
    let method = match way {
        Way::Member => "member",
        Way::Record => "record",
        Way::Plain => unreachable!("it has no tag"),
    };
    reader.hold();
    let leader = reader.spawn(way);
    reader.begun(1).await;
    assert_eq!(writer.remove(way).await, 2);
    // They come after the removal.
    let waiters: Vec<_> = (0..5).map(|_| reader.spawn(way)).collect();
    eventually("they have joined", PATIENCE, async || {
        reader.waits(method) == 5
    })
    .await;
    reader.release(100);
    assert_eq!(leader.await.unwrap(), 1);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), 2, "{way:?}");
    }
    assert_eq!(reader.call(way).await, 2);
}

async fn who_waits_for_it_loads_again(store: Store) {
    for way in [Way::Member, Way::Record] {
        let s = Service::new(store.neighbour().runtime().await);
        waiters(&s, &s, way).await;
    }
}

async fn who_waits_for_it_loads_again_when_another_process_has_removed(store: Store) {
    for way in [Way::Member, Way::Record] {
        let store = store.neighbour();
        let s = Service::new(store.runtime().await);
        let other = s.over(store.beside(&s.runtime).await);
        // So that the removal is heard of.
        other.call(way).await;
        other.remove(way).await;
        s.version.store(1, std::sync::atomic::Ordering::SeqCst);
        s.begun.send_replace(0);
        waiters(&s, &other, way).await;
    }
}

async fn a_load_of_another_process_that_overlaps_a_whole_prefix(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.beside(&s.runtime).await);
    overlapped(&s, &other, Way::Plain).await;
}

async fn a_load_under_another_tag_is_not_disturbed(store: Store) {
    let s = Service::new(store.runtime().await);
    // A tag that nobody has met yet is made when it is read for the first
    // time, and is as young as any other then.
    s.record(4).await;
    s.record(4).await;
    s.hold();
    let calls = [s.spawn(Way::Member), s.spawn(Way::Record)];
    s.begun(3).await;
    s.cache.invalidate_tag("team:b").await.unwrap();
    s.cache.invalidate_tag("owner:bob").await.unwrap();
    s.cache.clear("cache:plain:*").await.unwrap();
    s.release(100);
    for call in calls {
        call.await.unwrap();
    }
    s.call(Way::Member).await;
    s.call(Way::Record).await;
    assert_eq!(s.loads(), 3);
}
