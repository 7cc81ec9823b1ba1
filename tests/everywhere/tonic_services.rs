//! Annotated methods called by a tonic service.
//!
//! The service is what tonic generates from a `.proto` file, written by hand:
//! a trait with `async_trait` methods, and a `UnaryService` around one of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use tonic::server::UnaryService;
use tonic::{Code, Request, Response, Status};

#[async_trait]
trait Greeter: Send + Sync + 'static {
    async fn greet(&self, request: Request<String>) -> Result<Response<String>, Status>;
}

struct Greetings {
    runtime: Runtime,
    loads: AtomicU64,
}

impl Greetings {
    #[cacheable(ttl = 60, key_prefix = "greeting", runtime = self.runtime)]
    pub(crate) async fn greeting(&self, name: &str) -> Result<String, Status> {
        tokio::task::yield_now().await;
        let load = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        match name {
            "" => Err(Status::invalid_argument("nobody to greet")),
            name => Ok(format!("hello {name} {load}")),
        }
    }

    #[cache_invalidate("cache:greeting:greeting:{name}", runtime = self.runtime)]
    pub(crate) async fn rename(&self, name: String) -> Result<(), Status> {
        drop(name);
        Ok(())
    }
}

#[async_trait]
impl Greeter for Greetings {
    async fn greet(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let greeting = self.greeting(request.get_ref()).await?;
        Ok(Response::new(greeting))
    }
}

struct GreetMethod<S>(Arc<S>);

impl<S: Greeter> UnaryService<String> for GreetMethod<S> {
    type Response = String;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Status>> + Send>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let service = Arc::clone(&self.0);
        Box::pin(async move { service.greet(request).await })
    }
}

#[tokio::test]
async fn a_service_calls_annotated_methods() {
    let greetings = Arc::new(Greetings {
        runtime: Runtime::embedded(),
        loads: AtomicU64::new(0),
    });
    let greet = |name: &str| {
        let mut method = GreetMethod(Arc::clone(&greetings));
        tokio::spawn(method.call(Request::new(name.to_owned())))
    };
    let callers: Vec<_> = (0..50).map(|_| greet("Ada")).collect();
    for caller in callers {
        let response = caller.await.unwrap().unwrap();
        assert_eq!(response.into_inner(), "hello Ada 1");
    }
    greetings.rename("Ada".to_owned()).await.unwrap();
    let response = greet("Ada").await.unwrap().unwrap();
    assert_eq!(response.into_inner(), "hello Ada 2");
    for loads in 3..=4 {
        let status = greet("").await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(greetings.loads.load(Ordering::SeqCst), loads);
    }
}
