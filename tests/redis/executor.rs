//! Callers on an executor that is not Tokio's.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use cacheable_tests::RedisServer;

use crate::service::Service;

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
