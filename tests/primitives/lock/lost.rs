//! How a holder learns that it has lost its lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cacheable_runtime::{Builder, HeldLock, OnLost, Release, Runtime};
use cacheable_tests::RedisServer;
use cacheable_tests::store::{LONG, PATIENCE, Store};

use super::{SECOND, is_held, key, millis, on, with};

crate::on_every_store!(
    a_body_that_outlives_its_lock_is_dropped_and_no_success,
    a_body_may_be_let_go_on_and_is_no_success_either,
    a_holder_that_hangs_is_ended_by_max_hold,
    no_extension_goes_beyond_max_hold,
);

/// L6
async fn a_body_that_outlives_its_lock_is_dropped_and_no_success(store: Store) {
    let locks = store.runtime().await.locks();
    let steps = AtomicU64::new(0);
    // On a busy machine the lock may be lost before the first step.
    while steps.load(Ordering::SeqCst) == 0 {
        let fence = AtomicU64::new(0);
        let (ttl, began) = (millis(300), Instant::now());
        let body = |held: HeldLock| {
            fence.store(held.fence(), Ordering::SeqCst);
            let steps = &steps;
            async move {
                let mut overtaken = false;
                loop {
                    assert!(!overtaken, "a step was taken without the lock");
                    // It may be lost while a step is taken, but none follows that.
                    overtaken = !held.is_held();
                    steps.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(millis(10)).await;
                }
            }
        };
        let request = locks.lock("name").ttl(ttl).wait(PATIENCE);
        let call = request.renew(false).run(body);
        let ended: Result<(), _> = call.await;
        assert!(began.elapsed() >= millis(290) && began.elapsed() < PATIENCE);
        super::is_lost(ended, fence.load(Ordering::SeqCst));
    }
}

/// L6
async fn a_body_may_be_let_go_on_and_is_no_success_either(store: Store) {
    let locks = store.runtime().await.locks();
    let request = locks.lock("name").ttl(millis(100)).wait(PATIENCE);
    let request = request.renew(false);
    let finished = AtomicU64::new(0);
    let body = async |held: HeldLock| {
        let error = held.lost().await;
        finished.store(held.fence(), Ordering::SeqCst);
        error
    };
    let ended = request.on_lost(OnLost::Finish).run(body).await;
    super::is_lost(ended, finished.load(Ordering::SeqCst));
}

/// L24
async fn a_holder_that_hangs_is_ended_by_max_hold(store: Store) {
    let locks = store.runtime().await.locks();
    let (ttl, most, began) = (SECOND, 3 * SECOND, Instant::now());
    let request = locks.lock("name").ttl(ttl).max_hold(most);
    let ended = request
        .clone()
        .run(async |_| std::future::pending::<()>().await)
        .await;
    let error = ended.unwrap_err();
    assert!(
        error.is_lock_lost() && error.to_string().contains("max_hold"),
        "{error}"
    );
    assert!(began.elapsed() >= most && began.elapsed() < PATIENCE);
    // A guard is told, and nothing lengthens the lock any more.
    let guard = request.renew(true).acquire().await.unwrap();
    let error = guard.lost().await;
    assert!(error.to_string().contains("max_hold"), "{error}");
    super::is_lost(guard.extend(LONG).await, guard.fence());
    let after = locks.acquire("name", LONG, PATIENCE).await.unwrap();
    assert!(after.fence() > guard.fence());
}

/// L24
async fn no_extension_goes_beyond_max_hold(store: Store) {
    let (runtime, time) = store.timed().await;
    let locks = runtime.locks();
    let request = locks.lock("name").ttl(LONG).max_hold(SECOND);
    let guard = request.acquire().await.unwrap();
    assert!(guard.remaining() <= SECOND);
    guard.extend(LONG).await.unwrap();
    assert!(guard.remaining() <= SECOND);
    time.pass(SECOND).await;
    assert!(!guard.is_held());
    let other = locks.acquire("name", LONG, PATIENCE).await.unwrap();
    assert_eq!(guard.release().await.unwrap(), Release::NotOwner);
    assert!(other.is_held());
}

/// A clock that is moved by hand moves the ends of locks.
#[tokio::test]
async fn a_manual_clock_ends_locks() {
    let (runtime, time) = Store::embedded().timed().await;
    let locks = runtime.locks();
    let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    let renewing = locks
        .lock("renewing")
        .ttl(SECOND)
        .renew(true)
        .acquire()
        .await
        .unwrap();
    assert_eq!(guard.remaining(), LONG);
    for _ in 0..20 {
        time.pass(millis(400)).await;
        // Its task has its turn.
        let before = renewing.remaining();
        cacheable_tests::eventually("it is renewed", PATIENCE, async || {
            renewing.remaining() > before || renewing.remaining() == SECOND
        })
        .await;
    }
    time.pass(LONG).await;
    assert!(guard.lost().await.is_lock_lost());
    assert!(renewing.lost().await.is_lock_lost());
    assert!(locks.try_acquire("name", LONG).await.unwrap().is_some());
}

/// L31
fn starve(runtime: impl AsyncFnOnce() -> Runtime) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    tokio.unwrap().block_on(async {
        let locks = runtime().await.locks();
        let ttl = SECOND;
        let guard = locks
            .lock("name")
            .ttl(ttl)
            .renew(true)
            .acquire()
            .await
            .unwrap();
        tokio::time::sleep(2 * ttl).await;
        assert!(guard.is_held(), "it was renewed so far");
        // The only worker is blocked.
        std::thread::sleep(2 * ttl);
        assert!(!guard.is_held() && guard.remaining().is_zero());
        tokio::time::sleep(ttl).await;
        super::is_lost(guard.check(), guard.fence());
        super::is_lost(guard.extend(LONG).await, guard.fence());
        // So it is when the body blocks and comes to its end.
        let body = async |held: HeldLock| {
            std::thread::sleep(2 * ttl);
            held.fence()
        };
        let request = locks.lock("body").ttl(ttl);
        let ended = request.clone().run(body).await;
        assert!(ended.unwrap_err().is_lock_lost());
        // A body that takes a step after it is dropped before that.
        let body = async |_: HeldLock| {
            std::thread::sleep(2 * ttl);
            tokio::task::yield_now().await;
            panic!("a step without the lock");
        };
        let ended: Result<(), _> = request.run(body).await;
        assert!(ended.unwrap_err().is_lock_lost());
    });
}

/// L31
#[test]
fn a_starved_embedded_runtime_reports_the_loss() {
    starve(async || Runtime::embedded());
}

/// L31
#[test]
fn a_starved_runtime_on_a_server_reports_the_loss() {
    let server = RedisServer::shared();
    let (url, namespace) = (server.url(), server.namespace());
    starve(async || on(&url, &namespace).await);
}

/// L9, X5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_vanishes_is_noticed_by_the_next_renewal_and_not_made_again() {
    let server = RedisServer::start();
    let runtime = on(&server.url(), "vanishes").await;
    let key = key("vanishes", "name");
    for words in [&["DEL", key.as_str()][..], &["FLUSHALL"]] {
        let guard = runtime.locks().lock("name").ttl(3 * SECOND).renew(true);
        let guard = guard.acquire().await.unwrap();
        assert!(is_held(&server, &key));
        server.command::<::redis::Value>(words);
        let began = Instant::now();
        let error = guard.lost().await;
        assert!(error.to_string().contains("removed"), "{error}");
        // It would have been held for three seconds by its own clock.
        assert!(began.elapsed() < 5 * SECOND / 2, "{:?}", began.elapsed());
        assert_eq!(guard.release().await.unwrap(), Release::Expired);
        drop(guard);
        assert!(!is_held(&server, &key));
    }
    // Somebody else has it: the body is ended, its lock is left alone.
    let body = async |_: HeldLock| {
        server.command::<()>(&["SET", &key, "somebody else", "PX", "60000"]);
        std::future::pending::<()>().await;
    };
    let ended = runtime.locks().with_lock("name", SECOND, body).await;
    let error = ended.unwrap_err();
    assert!(
        error.is_lock_lost() && error.to_string().contains("somebody else"),
        "{error}"
    );
    assert_eq!(server.command::<String>(&["GET", &key]), "somebody else");
    // A body that ends before any renewal has no success either.
    server.command::<u8>(&["DEL", &key]);
    let body = async |held: HeldLock| {
        server.command::<u8>(&["DEL", &key]);
        assert!(held.is_held(), "nobody can know yet");
    };
    let ended = runtime.locks().with_lock("name", LONG, body).await;
    assert!(ended.unwrap_err().is_lock_lost());
}

/// L29
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_lock_is_no_silent_success() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "volatile-ttl"]);
    let runtime = on(&server.url(), "evicts").await;
    let key = key("evicts", "name");
    let body = async |_: HeldLock| {
        server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        cacheable_tests::eventually("it is evicted", PATIENCE, async || {
            let mut connection = server.connect();
            // It is refused, but what can be evicted is evicted before.
            let _ = ::redis::cmd("SET")
                .arg("more")
                .arg("x")
                .exec(&mut connection);
            super::kept(&server, &key).is_none()
        })
        .await;
        server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        std::future::pending::<()>().await;
    };
    let ended = runtime.locks().with_lock("name", 2 * SECOND, body).await;
    assert!(ended.unwrap_err().is_lock_lost());
    assert!(!is_held(&server, &key));
}

/// L10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_not_waited_for() {
    let server = RedisServer::start();
    let adjust = |builder: Builder| builder.command_timeout(60 * SECOND).require_connection();
    let runtime = with(&server.url(), "hangs", adjust).await;
    let (ttl, mut held) = (SECOND, Vec::new());
    for renews in [true, false] {
        let request = runtime.locks().lock(format!("renews {renews}"));
        held.push(request.ttl(ttl).renew(renews).acquire().await.unwrap());
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let body = tokio::spawn(async move {
        let request = runtime.locks().lock("body").ttl(ttl);
        let body = |_| async move {
            sender.send(()).unwrap();
            std::future::pending::<()>().await;
        };
        request.run(body).await.map_err(|error| error.kind())
    });
    receiver.await.unwrap();
    let paused = server.pause();
    let began = Instant::now();
    for guard in &held {
        let lost = tokio::time::timeout(PATIENCE, guard.lost()).await;
        assert!(lost.unwrap().is_lock_lost());
    }
    // It is renewed by itself: once the server goes on it may be held on.
    let ended = tokio::time::timeout(PATIENCE, body).await.unwrap().unwrap();
    assert_eq!(ended, Err(cacheable_runtime::ErrorKind::LockLost));
    // The command timeout is a minute: nobody waited for that.
    assert!(began.elapsed() < 20 * SECOND, "{:?}", began.elapsed());
    drop(paused);
}
