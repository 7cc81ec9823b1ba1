//! `with_lock` and `run`: what the body's end does to the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Error, Locks, Release};
use cacheable_tests::store::{LONG, PATIENCE, Store};
use cacheable_tests::{RedisServer, eventually};
use tokio::sync::oneshot;

use super::{SECOND, key, millis, on};

crate::on_every_store!(
    what_the_body_returns_is_returned_and_the_lock_is_free,
    a_body_s_own_error_stays_its_own,
    a_panic_is_passed_on_and_the_lock_released,
    a_dropped_call_drops_the_body_then_releases,
    a_lock_is_renewed_for_as_long_as_the_body_runs,
    short_lives_are_safe,
    renewal_does_not_outlive_the_release,
    a_guard_renews_itself_only_when_asked_to,
);

async fn is_free(locks: &Locks, name: &str) -> bool {
    let guard = locks.try_acquire(name, LONG).await.unwrap();
    match guard {
        Some(guard) => {
            let _ = guard.release().await.unwrap();
            true
        }
        None => false,
    }
}

async fn what_the_body_returns_is_returned_and_the_lock_is_free(store: Store) {
    let locks = store.runtime().await.locks();
    let word = String::from("done");
    let answer = locks.with_lock("name", LONG, |held| {
        let (locks, word) = (locks.clone(), &word);
        async move {
            assert!(held.is_held() && held.check().is_ok());
            assert!(held.name() == "name" && held.remaining() > LONG / 2);
            assert!(!is_free(&locks, "name").await);
            (held, word.len())
        }
    });
    let (held, length) = answer.await.unwrap();
    assert_eq!(length, 4);
    assert!(is_free(&locks, "name").await);
    // What is left of it knows.
    assert!(!held.is_held() && held.remaining().is_zero());
    super::is_lost(held.check(), held.fence());
    assert!(held.lost().await.is_lock_lost());
}

async fn a_body_s_own_error_stays_its_own(store: Store) {
    #[derive(Debug, PartialEq)]
    enum Failed {
        Mine,
        Cache,
    }
    impl From<Error> for Failed {
        fn from(_: Error) -> Self {
            Self::Cache
        }
    }
    let locks = store.runtime().await.locks();
    let call = async || -> Result<u8, Failed> {
        let value = locks.with_lock("name", LONG, async |_| Err(Failed::Mine));
        value.await?
    };
    assert_eq!(call().await, Err(Failed::Mine));
    assert!(is_free(&locks, "name").await);
    let call = async || -> Result<u8, Failed> {
        locks
            .with_lock("", LONG, async |_| Ok::<u8, Failed>(1))
            .await?
    };
    assert_eq!(call().await, Err(Failed::Cache));
}

/// L18
async fn a_panic_is_passed_on_and_the_lock_released(store: Store) {
    let locks = store.runtime().await.locks();
    let panics = {
        let locks = locks.clone();
        tokio::spawn(async move {
            let body = async |_| -> () {
                tokio::task::yield_now().await;
                panic!("the body's own words");
            };
            locks.with_lock("name", LONG, body).await
        })
    };
    let panic = panics.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"the body's own words"));
    eventually("it is free again", PATIENCE, async || {
        is_free(&locks, "name").await
    })
    .await;
}

async fn a_dropped_call_drops_the_body_then_releases(store: Store) {
    struct Says(Option<oneshot::Sender<()>>);
    impl Drop for Says {
        fn drop(&mut self) {
            self.0.take().unwrap().send(()).unwrap();
        }
    }
    let locks = store.runtime().await.locks();
    let ((began, started), (ended, mut end)) = (oneshot::channel(), oneshot::channel());
    let call = tokio::spawn({
        let locks = locks.clone();
        async move {
            let body = |_| async move {
                let _says = Says(Some(ended));
                began.send(()).unwrap();
                std::future::pending::<()>().await;
            };
            locks.with_lock("name", LONG, body).await
        }
    });
    started.await.unwrap();
    assert!(!is_free(&locks, "name").await);
    call.abort();
    eventually("it is free again", PATIENCE, async || {
        is_free(&locks, "name").await
    })
    .await;
    assert!(end.try_recv().is_ok(), "the body outlived its lock");
}

async fn a_lock_is_renewed_for_as_long_as_the_body_runs(store: Store) {
    let locks = store.runtime().await.locks();
    let ttl = SECOND;
    let body = async |held: cacheable_runtime::HeldLock| {
        tokio::time::sleep(3 * ttl).await;
        assert!(held.is_held());
        is_free(&locks, "name").await
    };
    assert!(!locks.with_lock("name", ttl, body).await.unwrap());
    assert!(is_free(&locks, "name").await);
}

/// L8
async fn short_lives_are_safe(store: Store) {
    let locks = store.runtime().await.locks();
    let inside = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for (number, ttl) in [10, 50, 200, 400].into_iter().cycle().take(12).enumerate() {
        let (locks, inside) = (locks.clone(), Arc::clone(&inside));
        tasks.push(tokio::spawn(async move {
            let request = locks.lock("name").ttl(millis(ttl)).wait(PATIENCE);
            let body = |held: cacheable_runtime::HeldLock| async move {
                for _ in 0..40 {
                    // One owner at a time, as far as each of them can know.
                    held.check()?;
                    let before = inside.swap(held.fence(), Ordering::SeqCst);
                    assert!(
                        before <= held.fence(),
                        "{number}: an older owner came after"
                    );
                    tokio::time::sleep(millis(2)).await;
                }
                Ok::<(), Error>(())
            };
            match request.run(body).await.and_then(|inner| inner) {
                Ok(()) => 1,
                // So it is on a busy machine.
                Err(error) => {
                    assert!(error.is_lock_lost() || error.is_timeout(), "{error}");
                    0
                }
            }
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    assert!(done > 0, "not one of them was renewed to its end");
}

/// L23
async fn renewal_does_not_outlive_the_release(store: Store) {
    let runtime = store.runtime().await;
    let ttl = SECOND;
    let cycles = async |task: u32| {
        for cycle in 0..625 {
            let name = format!("name {}", task * 625 + cycle);
            let guard = runtime.locks().lock(&name).ttl(ttl).renew(true);
            let guard = guard.try_acquire().await.unwrap().unwrap();
            if cycle % 2 == 0 {
                let _ = guard.release().await.unwrap();
            }
        }
    };
    let tasks = std::array::from_fn::<_, 16, _>(|task| Box::pin(cycles(task as u32)));
    let mut tasks = tasks.into_iter().collect::<Vec<_>>();
    // All at once, on this task.
    std::future::poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    tokio::time::sleep(3 * ttl).await;
    for number in 0..10_000 {
        let name = format!("name {number}");
        if number % 97 == 0 {
            assert!(is_free(&runtime.locks(), &name).await, "{name}");
        }
    }
}

async fn a_guard_renews_itself_only_when_asked_to(store: Store) {
    let locks = store.runtime().await.locks();
    let ttl = SECOND;
    let renewing = locks.lock("renewing").ttl(ttl).renew(true);
    let renewing = renewing.acquire().await.unwrap();
    let plain = locks.try_acquire("plain", ttl).await.unwrap().unwrap();
    let error = plain.lost().await;
    assert!(
        error.is_lock_lost() && error.to_string().contains("time to live"),
        "{error}"
    );
    assert!(!plain.is_held());
    eventually("others get it", PATIENCE, async || {
        locks.try_acquire("plain", ttl).await.unwrap().is_some()
    })
    .await;
    tokio::time::sleep(ttl).await;
    assert!(renewing.is_held());
    assert!(!is_free(&locks, "renewing").await);
}

/// L23: on a server no lock is left.
#[tokio::test]
async fn no_key_is_left_when_all_was_released_or_dropped() {
    let server = RedisServer::start();
    let runtime = on(&server.url(), "left").await;
    let ttl = millis(500);
    for cycle in 0..300 {
        let guard = runtime.locks().lock(format!("name {}", cycle % 7));
        let guard = guard.ttl(ttl).renew(true).acquire().await.unwrap();
        if cycle % 3 == 0 {
            guard.extend(ttl).await.unwrap();
        }
        if cycle % 2 == 0 {
            let _ = guard.release().await.unwrap();
        }
    }
    // Sent before this, over the same connection; but later than its poll.
    eventually("all is released", PATIENCE, async || {
        (0..7).all(|number| !super::is_held(&server, &key("left", &format!("name {number}"))))
    })
    .await;
    tokio::time::sleep(3 * ttl).await;
    let keys: Vec<String> = server.command(&["KEYS", "left:lock:*"]);
    // The last fences, for an hour.
    for key in keys {
        assert!(
            super::kept(&server, &key)
                .is_some_and(|(owner, until, _)| (owner, until) == ([0; 16], 0))
        );
        assert!(server.command::<i64>(&["PTTL", &key]) > 0);
    }
}

/// A guard may be released in another Tokio runtime than the one it was taken
/// in, also while that one stands still.
#[test]
fn a_guard_is_released_in_another_tokio_runtime() {
    let tokio = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let locks = cacheable_runtime::Runtime::embedded().locks();
    let request = locks.lock("name").ttl(LONG).renew(true);
    // It stands still from here on, with the renewal on it.
    let first = tokio();
    let guard = first.block_on(request.acquire()).unwrap();
    let release = async { tokio::time::timeout(PATIENCE, guard.release()).await };
    let released = tokio().block_on(release).expect("it does not hang");
    assert_eq!(released.unwrap(), Release::Released);
}
