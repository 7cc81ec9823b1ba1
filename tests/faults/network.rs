//! The network fails.

use std::time::{Duration, Instant};

use cacheable_tests::{Of, Proxy, RedisServer, eventually, say};
use tokio::time::sleep;

use crate::drill::{Drill, PATIENCE, alone, lasting, short};
use crate::service::{Service, Source};
use crate::standstill::Standstill;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "refused port").await;
    let fault = async {
        proxy.refuse();
        sleep(short()).await;
        proxy.forward();
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swallowed() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "black hole").await;
    let fault = async {
        proxy.black_hole(Of::All);
        sleep(lasting()).await;
        proxy.forward();
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swallowed_on_one_connection() {
    let server = RedisServer::start();
    for (of, name) in [
        (Of::Tracked, "black hole, connection of pushes"),
        (Of::Untracked, "black hole, the other one"),
    ] {
        let proxy = Proxy::to(&server);
        let drill = Drill::through(&proxy, name).await;
        let fault = async {
            proxy.black_hole(of);
            sleep(lasting()).await;
            proxy.forward();
        };
        drill.during(fault).await.recovers().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "replies 30 ms late").await;
    let fault = async {
        proxy.delay(Of::All, Duration::from_millis(30));
        sleep(short()).await;
        proxy.forward();
    };
    drill.during(fault).await.recovers().await;
}

/// By turns the removal does not arrive, and its reply does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_during_invalidations() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "cut during invalidations").await;
    let fault = async {
        let end = Instant::now() + short();
        let mut arrives = false;
        while Instant::now() < end {
            if arrives {
                proxy.hold_replies(Of::Untracked);
            } else {
                proxy.hold_requests(Of::Untracked);
            }
            // Long enough for the writer to be in the midst of it.
            sleep(Duration::from_millis(20)).await;
            proxy.cut(Of::Untracked);
            proxy.release();
            sleep(Duration::from_millis(50)).await;
            arrives = !arrives;
        }
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_dropped() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "pushes dropped").await;
    let fault = async {
        proxy.drop_pushes();
        sleep(short()).await;
        proxy.release_pushes();
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_held() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "pushes held").await;
    let fault = async {
        proxy.hold_pushes();
        sleep(short()).await;
        proxy.release_pushes();
    };
    drill.during(fault).await.recovers().await;
}

/// What another process writes while its pushes do not arrive is seen when
/// `local_ttl` is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pushes_old_values_end_with_their_local_life() {
    let window = window("pushes held", Proxy::hold_pushes, |_| {}).await;
    let promise = Duration::from_secs(1);
    assert!(
        window < promise + Duration::from_secs(1),
        "{window:?}; the promise is a `local_ttl` of {promise:?}"
    );
}

/// What another process writes while the link is silently dead is seen when
/// the heartbeat has noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_dead_link_old_values_end_with_the_heartbeat() {
    let window = window("link dead", |proxy| proxy.black_hole(Of::All), |_| {}).await;
    assert!(
        window < Duration::from_secs(5),
        "{window:?}; the promise is the heartbeat and its deadline"
    );
}

/// The push is under way when the connections end; nothing old outlives them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_connections_end_with_a_push_under_way_old_values_end_too() {
    let window = window("push lost with its link", Proxy::hold_pushes, |proxy| {
        proxy.cut(Of::All);
        proxy.release_pushes();
    })
    .await;
    assert!(
        window < Duration::from_millis(500),
        "{window:?}; the promise is the time in which a reset is noticed"
    );
}

/// Others write while there is no link; afterwards nothing is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reconnect_nothing_is_old() {
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let (service, other) = two_processes(&server, &proxy).await;
    for round in 0..5 {
        let mut versions = Vec::new();
        for id in 0..50 {
            let Ok(_) = service.read(id).await;
        }
        proxy.refuse();
        for id in 0..50 {
            // Values that come in while the link is away, too.
            let Ok(_) = service.read(id).await;
            let Ok(version) = other.write(id).await;
            versions.push(version);
        }
        let hits = || service.runtime.observe().method("probe.probe").hits_remote;
        let before = hits();
        proxy.forward();
        let mut number = round * 1_000_000;
        eventually("the server is used again", PATIENCE, async || {
            number += 1;
            for _ in 0..2 {
                let Ok(_) = service.probe(number).await;
            }
            hits() > before
        })
        .await;
        for (id, version) in versions.into_iter().enumerate() {
            let Ok(found) = service.read(id).await;
            assert!(found >= version, "{found} instead of {version}");
        }
    }
}

async fn two_processes(server: &RedisServer, proxy: &Proxy) -> (Service, Service) {
    let source = Source::new();
    (
        Service::start(proxy.url(), &source).await,
        Service::start(server.url(), &source).await,
    )
}

/// For how long this process begins to read what another one has replaced, at
/// the longest, when something fails before the write and after it.
async fn window(name: &str, before: impl Fn(&Proxy), after: impl Fn(&Proxy)) -> Duration {
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let (service, other) = two_processes(&server, &proxy).await;
    let standstill = Standstill::watch();
    let mut longest = Duration::ZERO;
    for id in 0..5 {
        // Again, so that it is held here.
        for _ in 0..2 {
            let Ok(_) = service.read_briefly(id).await;
        }
        before(&proxy);
        let Ok(version) = other.write(id).await;
        let written = Instant::now();
        after(&proxy);
        let seen = tokio::time::timeout(PATIENCE, async {
            loop {
                let began = Instant::now();
                let Ok(found) = service.read_briefly(id).await;
                if found == version {
                    break;
                }
                longest = longest.max(began - written);
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(seen.await.is_ok(), "{name}: the old value stays");
        proxy.forward();
    }
    say(&format!(
        "{name}: what others wrote is missed for {longest:?} at the longest"
    ));
    longest.saturating_sub(standstill.longest())
}
