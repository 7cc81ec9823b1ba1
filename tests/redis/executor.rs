//! Callers elsewhere than where the cache was built.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use cacheable_tests::RedisServer;

use crate::service::{Service, level_two};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The simplest executor there is.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_are_cached_on_any_executor() {
    let server = RedisServer::start();
    let service = Arc::new(Service::on(&server).await);
    let there = Arc::clone(&service);
    let elsewhere = thread::spawn(move || {
        block_on(async {
            there.loaded(1).await;
            let again = there.read(1).await.unwrap();
            assert_eq!((again, there.loads()), (1, 1));
            there.write(1).await.unwrap();
            there.loaded(1).await;
        });
    });
    tokio::task::spawn_blocking(move || elsewhere.join().unwrap())
        .await
        .unwrap();
    assert_eq!(service.counts().hits_remote, 1);
}

/// There is nobody to look at the time for it: its timers do not run, either.
#[test]
fn a_cache_whose_runtime_stands_still_holds_up_nobody_elsewhere() {
    let server = RedisServer::start();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (stands_still, elsewhere) = (runtime(), runtime());
    let service = stands_still.block_on(async {
        let service = Service::with(level_two().redis(server.url())).await;
        // Nothing but the value is left to ask for.
        service.loaded(1).await;
        service
    });
    let service = Arc::new(service);
    elsewhere.block_on(async {
        // The first asks alone, and the others together.
        let mut calls = tokio::task::JoinSet::new();
        for id in 2..10 {
            let service = Arc::clone(&service);
            calls.spawn(async move { service.read(id).await.unwrap() });
        }
        let all = tokio::time::timeout(Duration::from_secs(30), calls.join_all());
        all.await.expect("the time of each is up long before");
    });
    assert_eq!(service.loads(), 9);
}
