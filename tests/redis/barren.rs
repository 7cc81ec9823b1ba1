//! Methods that find nothing nearly every time ask for a lease at once, and lose
//! nothing by it.

use cacheable_runtime::MethodCounts;
use cacheable_tests::{Proxy, RedisServer, eventually};

use crate::service::{PATIENCE, Service, level_two};

/// After so many questions in vain a method is known by them.
const MANY: u32 = 40;

struct Walk {
    server: RedisServer,
    proxy: Proxy,
    service: Service,
    next: u32,
}

impl Walk {
    async fn new() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(&server);
        let builder = level_two().redis(proxy.url()).budget(PATIENCE);
        let service = Service::with(builder.require_connection()).await;
        Self {
            server,
            proxy,
            service,
            next: 0,
        }
    }

    /// Loads some that nobody has asked for, and says how many questions for what is
    /// there were sent.
    async fn loads(&mut self, some: u32) -> u64 {
        let asked = self.asked();
        for id in self.next..self.next + some {
            self.service.loaded(id).await;
        }
        self.next += some;
        self.asked() - asked
    }

    /// Finds what was loaded first, and says the same.
    async fn finds(&self, some: u32) -> u64 {
        let (asked, before) = (self.asked(), self.counts());
        for id in 0..some {
            assert_eq!(self.service.read(id).await.unwrap(), u64::from(id) + 1);
        }
        let now = self.counts();
        assert_eq!(now.hits_remote, before.hits_remote + u64::from(some));
        assert_eq!(now.remote_errors, before.remote_errors);
        self.asked() - asked
    }

    /// Has another process remove all of them, and waits until this one is told.
    async fn cleared_elsewhere(&self) -> Service {
        let other = Service::on(&self.server).await;
        other.loaded(1_000).await;
        let told = self.proxy.seen().invalidations;
        let all = "cache:service:*";
        other.runtime.cache().clear(all).await.unwrap();
        eventually("it is told of the removal", PATIENCE, async || {
            self.proxy.seen().invalidations > told
        })
        .await;
        other
    }

    fn asked(&self) -> u64 {
        self.proxy.seen().command("GET")
    }

    fn counts(&self) -> MethodCounts {
        self.service.counts()
    }
}

#[tokio::test]
async fn two_round_trips_are_enough_for_them() {
    let mut walk = Walk::new().await;
    assert_eq!(walk.loads(5).await, 5, "not known yet");
    walk.loads(MANY).await;
    let trips = walk.proxy.seen().round_trips;
    assert_eq!(walk.loads(MANY).await, 0);
    // The heartbeat may be among them.
    let trips = walk.proxy.seen().round_trips - trips;
    let most = u64::from(2 * MANY) + 10;
    assert!(trips <= most, "{trips} of {most}");
}

#[tokio::test]
async fn what_is_there_is_found_and_changes_what_is_expected() {
    let mut walk = Walk::new().await;
    walk.loads(MANY).await;
    let leases = || walk.proxy.seen().command("SET");
    let before = leases();
    assert_eq!(walk.finds(MANY).await, u64::from(MANY));
    let in_vain = leases() - before;
    assert!((1..10).contains(&in_vain), "{in_vain}");
    assert_eq!(walk.loads(5).await, 5);
}

#[tokio::test]
async fn what_others_load_and_remove_is_seen_as_ever() {
    let mut walk = Walk::new().await;
    walk.loads(MANY).await;
    let other = Service::on(&walk.server).await;
    other.loaded(1_000).await;
    assert_eq!(walk.service.read(1_000).await.unwrap(), 1);
    other.write(1_000).await.unwrap();
    walk.service.loaded(1_000).await;
}

#[tokio::test]
async fn where_no_lease_can_be_placed_what_is_there_is_read() {
    let mut walk = Walk::new().await;
    walk.loads(MANY).await;
    let set = |value| {
        walk.server
            .command::<()>(&["CONFIG", "SET", "maxmemory", value]);
    };
    set("1");
    eventually("the server takes nothing", PATIENCE, async || {
        let mut admin = walk.server.connect();
        redis::cmd("SET").arg(&["x", "y"]).exec(&mut admin).is_err()
    })
    .await;
    // Without an error, though the first one is asked for by a lease.
    assert_eq!(walk.finds(5).await, 5);
}

/// What they load is stamped with a number that is greater than that of the removal.
#[tokio::test]
async fn after_a_removal_elsewhere_what_they_load_is_of_use_to_all() {
    let mut walk = Walk::new().await;
    walk.loads(MANY).await;
    let other = walk.cleared_elsewhere().await;
    let first = walk.next;
    walk.loads(5).await;
    let hits = other.counts().hits_remote;
    for id in first..walk.next {
        other.read(id).await.unwrap();
    }
    assert_eq!(other.counts().hits_remote, hits + 5);
}

/// So is what is asked for by a lease since its key was removed here.
#[tokio::test]
async fn after_a_removal_elsewhere_and_one_here_it_is_too() {
    let walk = Walk::new().await;
    walk.service.loaded(0).await;
    walk.service.write(0).await.unwrap();
    let other = walk.cleared_elsewhere().await;
    walk.service.loaded(0).await;
    let hits = other.counts().hits_remote;
    other.read(0).await.unwrap();
    assert_eq!(other.counts().hits_remote, hits + 1);
}
