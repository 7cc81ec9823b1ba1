//! Each outcome that a flight can have, by hand: boarding is polled step by
//! step, so every interleaving here is the one that is written.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

type Boarding = Pin<Box<dyn Future<Output = Boarded> + Send>>;

struct Field {
    flights: Arc<Flights>,
    abandoned: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Field {
    fn new() -> Self {
        let abandoned = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&abandoned);
        Self {
            flights: Arc::new(Flights::new(PATIENCE, move |_, lease| {
                lock(&list).push(lease.to_vec());
            })),
            abandoned,
        }
    }

    fn board(&self, key: &str) -> Boarding {
        let (flights, key) = (Arc::clone(&self.flights), Arc::from(key));
        Box::pin(async move { flights.board(1, &key, SAME, false, 0, || {}).await })
    }

    #[track_caller]
    fn lead(&self, key: &str) -> Leader {
        expect_lead(&mut self.board(key))
    }

    /// A caller that has joined and waits.
    #[track_caller]
    fn wait(&self, key: &str) -> Boarding {
        let mut boarding = self.board(key);
        assert!(poll(&mut boarding).is_pending());
        boarding
    }

    fn abandoned(&self) -> Vec<Vec<u8>> {
        lock(&self.abandoned).clone()
    }

    #[track_caller]
    fn is_empty(&self) {
        assert!(self.flights.table.is_empty());
    }
}

fn poll(boarding: &mut Boarding) -> Poll<Boarded> {
    boarding
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn expect_lead(boarding: &mut Boarding) -> Leader {
    match poll(boarding) {
        Poll::Ready(Boarded::Lead(leader)) => leader,
        _ => panic!("this caller does not lead"),
    }
}

#[track_caller]
fn expect_value(boarding: &mut Boarding, expected: i32) {
    match poll(boarding) {
        Poll::Ready(Boarded::Landed(Some(value))) => {
            assert_eq!(value.downcast_ref(), Some(&expected));
        }
        _ => panic!("this caller was handed no value"),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is a landing")]
fn value(value: i32) -> Landing {
    Some(Arc::new(value))
}

#[test]
fn what_the_leader_brings_is_shared_and_the_flight_ends() {
    let field = Field::new();
    let leader = field.lead("k");
    let (mut first, mut second) = (field.wait("k"), field.wait("k"));
    let leader = leader.land_alone().unwrap_err();
    leader.land(value(7));
    expect_value(&mut first, 7);
    expect_value(&mut second, 7);
    field.is_empty();
}

#[test]
fn a_leader_nobody_waits_for_ends_alone() {
    let field = Field::new();
    let leader = field.lead("k");
    drop(field.wait("k"));
    assert!(leader.land_alone().is_ok());
    field.is_empty();
}

#[test]
fn a_dropped_leader_hands_over_with_its_lease() {
    let field = Field::new();
    let mut leader = field.lead("k");
    leader.lease = Some(Lease::from(&b"lease"[..]));
    let (mut first, mut second) = (field.wait("k"), field.wait("k"));
    drop(leader);
    let successor = expect_lead(&mut first);
    assert_eq!(successor.lease.as_deref(), Some(&b"lease"[..]));
    assert!(poll(&mut second).is_pending());
    successor.land(value(1));
    expect_value(&mut second, 1);
    // The lease was never filled, so landing gives it up.
    assert_eq!(field.abandoned(), [b"lease".to_vec()]);
    field.is_empty();
}

#[test]
fn when_everybody_leaves_the_lease_is_given_up_once() {
    let field = Field::new();
    for leader_first in [true, false] {
        let mut leader = field.lead("k");
        leader.lease = Some(Lease::from(&b"lease"[..]));
        let (first, second) = (field.wait("k"), field.wait("k"));
        if leader_first {
            drop(leader);
            drop((first, second));
        } else {
            drop((first, second));
            drop(leader);
        }
        assert_eq!(field.abandoned(), [b"lease".to_vec()]);
        lock(&field.abandoned).clear();
        field.is_empty();
    }
}

#[test]
fn the_seat_passes_on_when_its_heir_leaves_before_taking_it() {
    let field = Field::new();
    let leader = field.lead("k");
    let (first, mut second) = (field.wait("k"), field.wait("k"));
    drop(leader);
    // The notice went to the first.
    drop(first);
    drop(expect_lead(&mut second));
    drop(second);
    field.is_empty();
}

#[test]
fn a_panic_in_the_body_hands_over_too() {
    let field = Field::new();
    let leader = field.lead("k");
    let mut waiter = field.wait("k");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let leader = leader;
        let _inside = leader.enter();
        panic!("the body");
    }));
    assert!(panicked.is_err());
    drop(expect_lead(&mut waiter));
    drop(waiter);
    // And the thread is outside of the body again.
    assert!(!is_inside());
    field.is_empty();
}

#[test]
fn an_invalidation_sends_everybody_back_to_the_start() {
    let field = Field::new();
    let old = field.lead("k");
    let mut waiter = field.wait("k");
    let other = field.lead("another");
    field.flights.disperse(Among::All, |key| key == "k");
    assert!(old.is_dispersed() && !other.is_dispersed());
    assert!(matches!(poll(&mut waiter), Poll::Ready(Boarded::Dispersed)));

    // Whoever comes now has nothing to do with the old flight, whose end does
    // not touch the new one.
    let new = field.lead("k");
    let mut joined = field.wait("k");
    old.land(value(1));
    assert!(poll(&mut joined).is_pending());
    new.land(value(2));
    expect_value(&mut joined, 2);
    drop(other);
    field.is_empty();
}

#[test]
fn after_a_removal_look_ups_start_again_and_bodies_go_on() {
    let field = Field::new();
    let (asking, loading) = (field.lead("a"), field.lead("b"));
    loading.loading();
    let (mut first, mut second) = (field.wait("a"), field.wait("b"));
    field.flights.disperse_lookups(Among::All, |_| true);
    assert!(matches!(poll(&mut first), Poll::Ready(Boarded::Dispersed)));
    assert!(asking.is_dispersed() && !loading.is_dispersed());
    loading.land(value(2));
    expect_value(&mut second, 2);
    // Before the removal both start again.
    let loading = field.lead("b");
    loading.loading();
    field.flights.disperse(Among::All, |_| true);
    assert!(loading.is_dispersed());
    drop((asking, loading));
    field.is_empty();
}

#[test]
fn after_a_removal_by_key_look_ups_go_on_in_doubt() {
    let field = Field::new();
    let (asking, loading) = (field.lead("a"), field.lead("b"));
    loading.loading();
    let other = field.lead("c");
    let mut waiting = field.wait("a");
    field.flights.doubt_lookups(Among::All, |key| key != "c");
    assert!(asking.is_doubted() && !asking.is_dispersed());
    assert!(!loading.is_dispersed() && !other.is_doubted());
    assert!(poll(&mut waiting).is_pending());
    // It has found nothing, and what its body brings does for all.
    asking.loading();
    asking.land(value(2));
    expect_value(&mut waiting, 2);
    drop((loading, other));
    field.is_empty();
}

#[test]
fn what_a_refresh_offers_is_taken_back_by_a_removal() {
    let removals: [fn(&Flights); 2] = [
        |flights| flights.disperse_lookups(Among::All, |_| true),
        |flights| flights.doubt_lookups(Among::All, |_| true),
    ];
    for removal in removals {
        let field = Field::new();
        let leader = field.lead("k");
        leader.offer(Offer::for_ever(value(1)));
        leader.loading();
        let mut before = field.board("k");
        assert!(matches!(
            poll(&mut before),
            Poll::Ready(Boarded::Offered(..))
        ));
        removal(&field.flights);
        let mut after = field.wait("k");
        assert!(!leader.is_dispersed());
        leader.land(value(2));
        expect_value(&mut after, 2);
        field.is_empty();
    }
}

#[test]
fn an_invalidation_gives_up_the_lease_of_a_leader_that_left() {
    let field = Field::new();
    let mut leader = field.lead("k");
    leader.lease = Some(Lease::from(&b"old"[..]));
    let waiter = field.wait("k");
    drop(leader);
    field.flights.disperse(Among::All, |_| true);
    assert_eq!(field.abandoned(), [b"old".to_vec()]);
    drop(waiter);
    assert_eq!(field.abandoned().len(), 1);
    field.is_empty();
}

#[test]
fn who_gives_up_a_seat_that_its_heir_does_not_take_gives_up_its_lease() {
    let field = Field::new();
    let mut leader = field.lead("k");
    leader.lease = Some(Lease::from(&b"lease"[..]));
    // Its notice is the first's, which is polled no more.
    let (first, mut second) = (field.wait("k"), field.wait("k"));
    let flight = Arc::clone(&leader.flight);
    drop(leader);
    field.flights.give_up(&flight);
    assert!(matches!(poll(&mut second), Poll::Ready(Boarded::Dispersed)));
    assert_eq!(field.abandoned(), [b"lease".to_vec()]);
    drop((first, second));
    assert_eq!(field.abandoned().len(), 1);
    field.is_empty();
}

#[test]
fn the_lease_of_a_dispersed_leader_is_given_up_not_handed_over() {
    let field = Field::new();
    let mut leader = field.lead("k");
    leader.lease = Some(Lease::from(&b"old"[..]));
    let mut waiter = field.wait("k");
    field.flights.disperse(Among::All, |_| true);
    drop(leader);
    assert!(matches!(poll(&mut waiter), Poll::Ready(Boarded::Dispersed)));
    assert_eq!(field.abandoned(), [b"old".to_vec()]);
    drop(waiter);
    field.is_empty();
}

#[test]
fn a_body_that_asks_for_its_own_key_runs_through() {
    let field = Field::new();
    let leader = field.lead("k");
    let inside = leader.enter();
    assert!(matches!(
        poll(&mut field.board("k")),
        Poll::Ready(Boarded::RunThrough)
    ));
    drop(inside);
    // The same call from elsewhere waits.
    drop(field.wait("k"));
    drop(leader);
    field.is_empty();
}

#[test]
fn bodies_that_ask_for_each_other_do_not_wait_in_a_ring() {
    let field = Field::new();
    let leaders = ["a", "b", "c"].map(|key| field.lead(key));
    let inside = |leader: usize, key: &str| {
        let _inside = leaders[leader].enter();
        let mut boarding = field.board(key);
        let polled = poll(&mut boarding);
        (boarding, polled)
    };
    let (first, polled) = inside(0, "b");
    assert!(polled.is_pending());
    let (second, polled) = inside(1, "c");
    assert!(polled.is_pending());
    let (_, polled) = inside(2, "a");
    assert!(matches!(polled, Poll::Ready(Boarded::RunThrough)));
    // Without the ring it is an ordinary wait.
    drop(first);
    let (third, polled) = inside(2, "a");
    assert!(polled.is_pending());
    let ids = leaders.each_ref().map(|leader| leader.flight.id);
    assert!(ids[1..].iter().all(|id| nested::waits_of(*id)));
    drop((second, third));
    assert!(!ids.iter().any(|id| nested::waits_of(*id)));
    drop(leaders);
    field.is_empty();
}

#[test]
fn sites_that_claim_one_key_fly_apart() {
    let field = Field::new();
    let leader = field.lead("k");
    let (flights, key) = (Arc::clone(&field.flights), Arc::from("k"));
    let mut other: Boarding =
        Box::pin(async move { flights.board(2, &key, SAME, false, 0, || {}).await });
    drop(expect_lead(&mut other));
    drop(leader);
}

/// A waiter that leaves a vacant seat closes the flight in two steps; whoever
/// takes the seat between them must not be left outside of the map, where no
/// invalidation and no caller finds it.
#[test]
fn a_seat_taken_while_the_last_waiter_leaves_stays_in_the_map() {
    let field = Field::new();
    for round in 0..20_000 {
        let leader = field.lead("k");
        let waiter = field.wait("k");
        drop(leader);
        let lost = std::thread::scope(|scope| {
            scope.spawn(move || drop(waiter));
            let mut boarding = field.board("k");
            loop {
                match poll(&mut boarding) {
                    Poll::Ready(Boarded::Lead(leader)) => break leader,
                    Poll::Ready(_) => boarding = field.board("k"),
                    Poll::Pending => std::hint::spin_loop(),
                }
            }
        });
        let present = field
            .flights
            .table
            .lock(SAME)
            .values()
            .any(|flight| Arc::ptr_eq(flight, &lost.flight));
        assert!(
            present,
            "round {round}: the leader's flight is not in the map"
        );
        drop(lost);
    }
}
