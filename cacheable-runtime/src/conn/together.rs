//! Several links, heard as one.
//!
//! Level 1 has one generation: it trusts what it has as long as *all* primaries
//! of a cluster would have told of a change. So the listener behind this hears
//! of a connection when the last link is up, of a loss when the first is gone,
//! and of an answer only as far back as every link has had one.
//!
//! All that begins or ends a time of trust is passed on under one lock, so
//! that a beginning that is told late cannot come after the end of what it
//! rests on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::bus::Listener;
use crate::sync::{lock, unique};

pub(super) struct Together {
    listener: Arc<dyn Listener>,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    by_id: HashMap<u64, Voice>,
    /// The listener has been told that it is connected, and of no loss since.
    up: bool,
    /// Whose time counts. Clocks of two machines differ, so the time of one
    /// node is followed, and while it is away the time goes on from there.
    timekeeper: Option<u64>,
}

/// What one link has told.
#[derive(Clone, Copy, Default)]
struct Voice {
    /// `None`: it is not up. Else whether its server tells of changes.
    follows: Option<bool>,
    /// When the last question was sent that was answered since.
    heard: Option<Instant>,
}

/// One link's part in it.
pub(super) struct Member {
    together: Arc<Together>,
    pub(super) id: u64,
}

impl Together {
    pub(super) fn new(listener: Arc<dyn Listener>) -> Arc<Self> {
        Arc::new(Self {
            listener,
            members: Mutex::default(),
        })
    }

    /// A link more, whose answers count from now on: without it there is no
    /// trust.
    pub(super) fn join(self: &Arc<Self>) -> Member {
        let id = unique();
        let mut members = lock(&self.members);
        members.by_id.insert(id, Voice::default());
        self.part(&mut members);
        drop(members);
        Member {
            together: Arc::clone(self),
            id,
        }
    }

    /// Whose time counts from now on.
    pub(super) fn appoint(&self, timekeeper: Option<u64>) {
        lock(&self.members).timekeeper = timekeeper;
    }

    /// From here on keys are routed to these links, and were not just before:
    /// nothing that was read by then is trusted.
    pub(super) fn reform(&self, ids: &[u64]) {
        let mut members = lock(&self.members);
        members.by_id.retain(|id, _| ids.contains(id));
        self.part(&mut members);
        self.unite(&mut members);
    }

    fn part(&self, members: &mut Members) {
        if std::mem::take(&mut members.up) {
            self.listener.lost();
        }
    }

    fn unite(&self, members: &mut Members) {
        let up = members.by_id.values().all(|voice| voice.follows.is_some());
        if !up || members.by_id.is_empty() {
            return;
        }
        let all = |voice: &Voice| voice.follows == Some(true);
        self.listener.connected(members.by_id.values().all(all));
        members.up = true;
        self.vouch(members);
    }

    fn vouch(&self, members: &Members) {
        let heard = members.by_id.values().map(|voice| voice.heard).min();
        // One of which nothing was heard is the least of all.
        if let (true, Some(Some(asked))) = (members.up, heard) {
            self.listener.heard(asked);
        }
    }
}

impl Listener for Member {
    fn connected(&self, follows: bool) {
        let mut members = lock(&self.together.members);
        // It may have been left out meanwhile.
        let Some(voice) = members.by_id.get_mut(&self.id) else {
            return;
        };
        *voice = Voice {
            follows: Some(follows),
            heard: None,
        };
        // Also when it was up: what was heard of it before is void.
        self.together.part(&mut members);
        self.together.unite(&mut members);
    }

    fn heard(&self, asked: Instant) {
        let mut members = lock(&self.together.members);
        if let Some(voice) = members.by_id.get_mut(&self.id)
            && voice.follows.is_some()
        {
            voice.heard = voice.heard.max(Some(asked));
            self.together.vouch(&members);
        }
    }

    fn changed(&self, key: &[u8]) {
        // It only ever takes trust away, so it needs no place in the order.
        self.together.listener.changed(key);
    }

    fn all_changed(&self) {
        let _in_order = lock(&self.together.members);
        self.together.listener.all_changed();
    }

    fn numbered(&self, number: u64) {
        self.together.listener.numbered(number);
    }

    fn told_time(&self, millis: u64, round_trip: Duration) {
        let members = lock(&self.together.members);
        if members.timekeeper == Some(self.id) {
            self.together.listener.told_time(millis, round_trip);
        }
    }

    fn lost(&self) {
        let mut members = lock(&self.together.members);
        if let Some(voice) = members.by_id.get_mut(&self.id) {
            *voice = Voice::default();
            self.together.part(&mut members);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it is told.
    #[derive(Default)]
    struct Heard {
        told: Mutex<Vec<String>>,
        /// The first moment that was heard of.
        first: Mutex<Option<Instant>>,
    }

    impl Heard {
        fn add(&self, what: impl Into<String>) {
            lock(&self.told).push(what.into());
        }
    }

    impl Listener for Heard {
        fn connected(&self, follows: bool) {
            self.add(format!("connected {follows}"));
        }
        fn heard(&self, asked: Instant) {
            let first = *lock(&self.first).get_or_insert(asked);
            let after = asked.saturating_duration_since(first);
            self.add(format!("heard {}", after.as_secs()));
        }
        fn changed(&self, key: &[u8]) {
            self.add(String::from_utf8_lossy(key));
        }
        fn all_changed(&self) {
            self.add("all");
        }
        fn numbered(&self, number: u64) {
            self.add(number.to_string());
        }
        fn told_time(&self, millis: u64, _: Duration) {
            self.add(format!("time {millis}"));
        }
        fn lost(&self) {
            self.add("lost");
        }
    }

    struct Scene {
        heard: Arc<Heard>,
        together: Arc<Together>,
        a: Member,
        b: Member,
    }

    impl Scene {
        fn new() -> Self {
            let heard = Arc::new(Heard::default());
            let together = Together::new(Arc::clone(&heard) as _);
            let (a, b) = (together.join(), together.join());
            together.reform(&[a.id, b.id]);
            Self {
                heard,
                together,
                a,
                b,
            }
        }

        /// Both are up, and nothing of it was heard.
        fn up() -> Self {
            let scene = Self::new();
            scene.a.connected(true);
            scene.b.connected(true);
            scene.told(&["connected true"]);
            scene
        }

        #[track_caller]
        fn told(&self, expected: &[&str]) {
            let told = std::mem::take(&mut *lock(&self.heard.told));
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn trust_begins_with_the_last_and_reaches_as_far_as_the_least() {
        let scene = Scene::new();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        scene.a.connected(true);
        scene.a.heard(at(0));
        scene.told(&[]);
        scene.b.connected(true);
        scene.told(&["connected true"]);
        scene.b.heard(at(0));
        scene.told(&["heard 0"]);
        scene.a.heard(at(5));
        scene.b.heard(at(3));
        scene.told(&["heard 0", "heard 3"]);
        // An answer that comes late takes nothing back.
        scene.b.heard(at(1));
        scene.told(&["heard 3"]);
    }

    #[test]
    fn the_first_loss_ends_it_and_one_is_enough() {
        let scene = Scene::up();
        scene.a.heard(Instant::now());
        scene.b.lost();
        scene.a.lost();
        scene.told(&["lost"]);
        // What was heard before the loss counts for nothing after it.
        scene.b.heard(Instant::now());
        scene.b.connected(true);
        scene.a.connected(true);
        scene.told(&["connected true"]);
        scene.b.heard(Instant::now());
        scene.told(&[]);
    }

    #[test]
    fn a_link_that_comes_again_without_a_loss_begins_anew() {
        let scene = Scene::up();
        scene.a.connected(true);
        scene.told(&["lost", "connected true"]);
        scene.a.connected(false);
        scene.told(&["lost", "connected false"]);
    }

    #[test]
    fn a_new_member_ends_trust_until_it_is_up_and_a_change_does_in_any_case() {
        let scene = Scene::up();
        let c = scene.together.join();
        scene.told(&["lost"]);
        scene.together.reform(&[scene.a.id, c.id]);
        scene.told(&[]);
        c.connected(true);
        scene.told(&["connected true"]);
        scene.together.reform(&[scene.a.id, c.id]);
        scene.told(&["lost", "connected true"]);
    }

    #[test]
    fn who_was_left_out_takes_trust_away_and_gives_none() {
        let scene = Scene::up();
        scene.together.reform(&[scene.a.id]);
        scene.told(&["lost", "connected true"]);
        scene.b.lost();
        scene.b.connected(true);
        scene.b.heard(Instant::now());
        scene.told(&[]);
        scene.b.changed(b"key");
        scene.b.all_changed();
        scene.b.numbered(7);
        scene.told(&["key", "all", "7"]);
    }

    #[test]
    fn one_keeps_the_time() {
        let scene = Scene::up();
        scene.together.appoint(Some(scene.b.id));
        scene.a.told_time(1, Duration::ZERO);
        scene.b.told_time(2, Duration::ZERO);
        scene.told(&["time 2"]);
    }
}
