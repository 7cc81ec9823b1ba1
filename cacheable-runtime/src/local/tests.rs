//! What stands in for a load that fails while the server is away.

use super::*;
use crate::observe::Counters;
use crate::time::ManualClock;

const KEY: &str = "cache:p:m:1";

fn followed() -> (Local, Arc<Marker>) {
    let settings = LocalSettings {
        capacity: 1 << 16,
        degraded_ttl: Duration::from_secs(1),
        alone: true,
    };
    let local = Local::new(settings, Clock::Manual(ManualClock::new()));
    local.connected(true);
    let marker = local.markers.of("tag");
    marker.question(true).unwrap().answered(1);
    (local, marker)
}

fn keep(local: &Local, marker: &Arc<Marker>) {
    let times = Times {
        hard: u64::MAX,
        ..Times::default()
    };
    let (key, tally) = (Arc::from(KEY), Counters::new("test", 0).tally(false));
    let ticket = local.ticket(local.hash(KEY.as_bytes()));
    let mut entry = Entry::new(None, 8, key, times, u64::MAX, ticket, tally);
    entry.stamp = 1;
    entry.markers = Arc::new([Arc::clone(marker)]);
    local.fill(1, entry);
}

#[test]
fn what_was_removed_by_tag_does_not_stand_in_when_the_server_is_lost() {
    type Removal = fn(&Local, &Marker);
    let removals: [(Removal, bool); 5] = [
        (|_, _| {}, true),
        (|_, marker| marker.raise(2), false),
        // By another process.
        (|local, _| Listener::changed(local, b"tag"), false),
        (|_, marker| marker.hold(), false),
        (|local, _| local.forget(KEY.as_bytes()), false),
    ];
    for (at, (remove, stands_in)) in removals.into_iter().enumerate() {
        let (local, marker) = followed();
        keep(&local, &marker);
        assert!(local.get(1).is_some() && local.get_for_want_of_better(1).is_none());
        remove(&local, &marker);
        local.lost();
        assert_eq!(local.get_for_want_of_better(1).is_some(), stands_in, "{at}");
        // By this process, now that the server is away.
        marker.raise(3);
        assert!(local.get_for_want_of_better(1).is_none(), "{at}");
    }
}

#[test]
fn what_was_kept_without_the_server_does_not_stand_in_when_it_is_distrusted() {
    let (local, marker) = followed();
    local.lost();
    keep(&local, &marker);
    assert!(local.get_for_want_of_better(1).is_some());
    local.distrust();
    assert!(local.get_for_want_of_better(1).is_none());
}
