//! Who is told what, without a server.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::super::address::Address;
use super::call::HubCall;
use super::table::{Status, Table};
use super::{Kind, Sink, Topic, shut_down};
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, unique};

/// Takes down what it is told.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, what: &str) {
        lock(&self.0).push(what.to_owned());
    }

    /// What was told since the last look.
    fn told(&self) -> String {
        std::mem::take(&mut *lock(&self.0)).join(" ")
    }
}

impl Sink for Diary {
    fn message(&self, _: &[u8], payload: &[u8]) {
        self.note(&String::from_utf8_lossy(payload));
    }

    fn lost(&self) {
        self.note("lost");
    }

    fn gap(&self, _: Instant) {
        self.note("gap");
    }

    fn ended(&self, why: &Error) {
        self.note(&format!("ended:{:?}", why.kind()));
    }
}

fn place(number: u32) -> Address {
    Address::parse("REDIS_URL", &format!("redis://host{number}")).unwrap()
}

fn topic(name: &str) -> Topic {
    Topic {
        kind: Kind::Exact,
        name: name.as_bytes().into(),
    }
}

/// A table, and what its one hub carries over which connection.
struct World {
    table: Table,
    hub: Option<Arc<HubCall>>,
    carried: HashSet<Topic>,
    connection: u64,
}

impl World {
    fn new() -> Self {
        Self {
            table: Table::default(),
            hub: None,
            carried: HashSet::new(),
            connection: unique(),
        }
    }

    fn add(&mut self, name: &str) -> (Arc<Diary>, u64, tokio::sync::watch::Receiver<Status>) {
        let (diary, id) = (Arc::new(Diary::default()), unique());
        let added = self
            .table
            .add(&topic(name), &place(1), id, Arc::clone(&diary) as _);
        let (status, hub) = added.unwrap();
        self.hub = hub.or(self.hub.take());
        (diary, id, status)
    }

    /// What has to be said now, as `-a` or `+a`.
    fn says(&mut self) -> String {
        let changes = self
            .table
            .changes(place(1).shown(), self.connection, &self.carried);
        let mut said = Vec::new();
        for topic in changes.unsubscribe {
            said.push(format!("-{}", String::from_utf8_lossy(&topic.name)));
            self.carried.remove(&topic);
        }
        for topic in changes.subscribe {
            said.push(format!("+{}", String::from_utf8_lossy(&topic.name)));
            self.carried.insert(topic);
        }
        said.sort();
        said.join(" ")
    }

    fn confirms(&self, name: &str) {
        self.table.confirmed(&topic(name), self.connection);
    }

    fn reconnects(&mut self) {
        self.table.lost(self.connection, Instant::now());
        self.carried.clear();
        self.connection = unique();
    }

    fn hears(&self, name: &str, payload: &str) {
        for listed in self
            .table
            .sinks(&topic(name), self.connection)
            .iter()
            .flat_map(|sinks| sinks.iter())
        {
            listed.sink.message(name.as_bytes(), payload.as_bytes());
        }
    }
}

fn is_live(status: &tokio::sync::watch::Receiver<Status>) -> bool {
    matches!(*status.borrow(), Status::Live)
}

#[test]
fn a_gap_comes_after_the_confirmation_and_before_any_message() {
    let mut world = World::new();
    let (diary, _, status) = world.add("a");
    assert_eq!(world.says(), "+a");
    assert!(!is_live(&status));
    world.confirms("a");
    assert!(is_live(&status));
    world.hears("a", "1");
    assert_eq!(diary.told(), "1");
    world.reconnects();
    assert!(!is_live(&status));
    assert_eq!(world.says(), "+a");
    world.confirms("a");
    world.hears("a", "2");
    assert_eq!(diary.told(), "lost gap 2");
}

#[test]
fn a_connection_that_breaks_again_before_it_is_confirmed_makes_one_gap() {
    let mut world = World::new();
    let (diary, _, _) = world.add("a");
    world.says();
    world.confirms("a");
    for _ in 0..3 {
        world.reconnects();
        assert_eq!(world.says(), "+a");
    }
    world.confirms("a");
    assert_eq!(diary.told(), "lost gap");
}

#[test]
fn what_comes_over_a_connection_before_this_one_says_nothing() {
    let mut world = World::new();
    let (diary, _, status) = world.add("a");
    world.says();
    let before = world.connection;
    world.reconnects();
    world.table.confirmed(&topic("a"), before);
    assert!(!is_live(&status));
    assert!(world.table.sinks(&topic("a"), before).is_none());
    world.says();
    world.confirms("a");
    // It had never been heard before, so nothing is missing.
    assert_eq!(diary.told(), "");
}

#[test]
fn who_comes_during_a_reconnect_waits_and_has_missed_nothing() {
    let mut world = World::new();
    let (first, _, _) = world.add("a");
    world.says();
    world.confirms("a");
    world.reconnects();
    let (second, _, status) = world.add("a");
    assert!(!is_live(&status));
    world.table.unreachable(
        place(1).shown(),
        &Error::new(ErrorKind::Unavailable, "away"),
    );
    world.says();
    world.confirms("a");
    assert!(is_live(&status));
    assert_eq!(
        (first.told().as_str(), second.told().as_str()),
        ("lost gap", "")
    );
    // From then on it is as any other.
    world.reconnects();
    world.says();
    world.confirms("a");
    assert_eq!(
        (first.told().as_str(), second.told().as_str()),
        ("lost gap", "lost gap")
    );
}

#[test]
fn who_has_never_heard_anything_is_told_that_no_server_is_there() {
    let mut world = World::new();
    let (diary, _, status) = world.add("a");
    world.table.unreachable(
        place(1).shown(),
        &Error::new(ErrorKind::Unavailable, "away"),
    );
    assert!(matches!(&*status.borrow(), Status::Refused(_)));
    assert_eq!(diary.told(), "ended:Unavailable");
    assert_eq!(world.says(), "");
}

#[test]
fn the_last_one_takes_the_subscription_along() {
    let mut world = World::new();
    let (first, one, _) = world.add("a");
    world.says();
    world.confirms("a");
    let (second, two, status) = world.add("a");
    // There is nothing to wait for.
    assert!(is_live(&status));
    world.table.remove(&topic("a"), one);
    assert_eq!(world.says(), "");
    world.hears("a", "1");
    assert_eq!((first.told().as_str(), second.told().as_str()), ("", "1"));
    world.table.remove(&topic("a"), two);
    // A second time, too.
    world.table.remove(&topic("a"), two);
    world.hears("a", "2");
    assert_eq!(second.told(), "");
    assert_eq!(world.says(), "-a");
}

#[test]
fn what_is_ended_during_a_reconnect_is_not_asked_for() {
    let mut world = World::new();
    let (_, id, _) = world.add("a");
    let _b = world.add("b");
    assert_eq!(world.says(), "+a +b");
    world.reconnects();
    world.table.remove(&topic("a"), id);
    assert_eq!(world.says(), "+b");
}

#[test]
fn what_is_ended_and_begun_at_once_is_confirmed_anew() {
    let mut world = World::new();
    let (_, id, _) = world.add("a");
    world.says();
    world.confirms("a");
    world.table.remove(&topic("a"), id);
    let (diary, _, status) = world.add("a");
    // Of the subscription before.
    world.confirms("a");
    assert!(!is_live(&status));
    assert_eq!(world.says(), "+a -a");
    world.confirms("a");
    assert!(is_live(&status));
    assert_eq!(diary.told(), "");
}

/// The server still sends what was published before it ended the one before.
#[test]
fn what_was_asked_for_hears_nothing_before_it_is_confirmed() {
    let mut world = World::new();
    let (_, id, _) = world.add("a");
    world.says();
    world.confirms("a");
    world.table.remove(&topic("a"), id);
    let (diary, _, _) = world.add("a");
    assert_eq!(world.says(), "+a -a");
    world.hears("a", "1");
    world.confirms("a");
    world.hears("a", "3");
    assert_eq!(diary.told(), "3");
    // Moved away and back again, over the connection that it had.
    let to = |to| move |_: &Topic, _: &str| Ok(place(to));
    let (here, there) = (place(1), place(2));
    world.table.replace(here.shown(), Instant::now(), to(2));
    world.table.replace(there.shown(), Instant::now(), to(1));
    assert_eq!(world.says(), "+a -a");
    world.hears("a", "4");
    world.confirms("a");
    world.hears("a", "6");
    assert_eq!(diary.told(), "lost gap 6");
}

#[test]
fn what_is_moved_is_lost_here_and_asked_for_there() {
    let mut world = World::new();
    let (diary, _, _) = world.add("a");
    let _b = world.add("b");
    world.says();
    world.confirms("a");
    let moves = |moved: &Topic, _: &str| Ok(place(if *moved == topic("a") { 2 } else { 1 }));
    let hubs = world.table.replace(place(1).shown(), Instant::now(), moves);
    assert_eq!(hubs.len(), 1);
    assert_eq!(hubs[0].address.shown(), place(2).shown());
    assert_eq!(world.says(), "-a");
    let there = unique();
    let changes = world
        .table
        .changes(place(2).shown(), there, &HashSet::new());
    assert_eq!(changes.subscribe, [topic("a")]);
    // What still comes from there is not handed out twice.
    world.hears("a", "1");
    world.table.confirmed(&topic("a"), there);
    assert_eq!(diary.told(), "lost gap");
    // Nobody knows where it is now: it stays.
    let unknown = |_: &Topic, _: &str| Err(Error::new(ErrorKind::Unavailable, "nobody"));
    let hubs = world
        .table
        .replace(place(2).shown(), Instant::now(), unknown);
    assert!(hubs.is_empty());
    assert!(world.table.is_carried(&topic("a"), there));
}

#[test]
fn a_hub_leaves_only_when_it_has_nothing_to_do_and_only_itself() {
    let mut world = World::new();
    let (_, id, _) = world.add("a");
    let old = world.hub.take().expect("the first one starts it");
    assert!(!world.table.leaves(&old));
    world.table.remove(&topic("a"), id);
    assert!(world.table.leaves(&old));
    let (_, id, _) = world.add("a");
    let new = world.hub.clone().expect("there was none any more");
    world.table.remove(&topic("a"), id);
    // The old one says it again as it ends.
    assert!(world.table.leaves(&old));
    let _a = world.add("a");
    assert!(
        Arc::ptr_eq(&new, world.hub.as_ref().unwrap()),
        "there are two"
    );
}

#[tokio::test]
async fn the_end_is_told_to_all_and_final() {
    let mut world = World::new();
    let (live, _, _) = world.add("a");
    let (asked, _, status) = world.add("b");
    world.says();
    world.confirms("a");
    world.table.close(&shut_down());
    world.table.close(&shut_down());
    world.table.closing().await;
    assert_eq!(
        (live.told().as_str(), asked.told().as_str()),
        ("ended:ShutDown", "ended:ShutDown")
    );
    assert!(matches!(&*status.borrow(), Status::Refused(_)));
    let late = world
        .table
        .add(&topic("c"), &place(1), 0, Arc::new(Diary::default()));
    assert_eq!(late.map(|_| ()).unwrap_err().kind(), ErrorKind::ShutDown);
    let hub = world.hub.take().unwrap();
    assert!(world.table.leaves(&hub));
    world.table.without_hubs().await;
}
