//! Limits in front of HTTP services.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use cacheable_runtime::{DenyWith, EmptyBody, OnFailure, RateLimitLayer, Runtime};
use cacheable_tests::RedisServer;
use tower::{Layer, Service, ServiceExt};

use super::{MINUTE, asking, on, policy};

fn user(request: &Request<Body>) -> String {
    let user = request.headers().get("x-user");
    user.map_or_else(String::new, |user| user.to_str().unwrap().to_owned())
}

fn of(user: &str) -> Request<Body> {
    let request = Request::get("/").header("x-user", user);
    request.body(Body::empty()).unwrap()
}

fn header<'a, B>(response: &'a Response<B>, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name)?;
    Some(value.to_str().unwrap())
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 10_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_over_the_limit_is_answered_with_429_and_goes_no_further() {
    let runtime = Runtime::embedded();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let handler = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        "hello"
    };
    let api = policy(&runtime, "the \"api\"", 2, MINUTE);
    let service: Router = Router::new()
        .route("/", get(handler))
        .layer(RateLimitLayer::new(api, user));
    for left in [1, 0] {
        let response = service.clone().oneshot(of("a")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let policy = header(&response, "ratelimit-policy").unwrap();
        assert_eq!(policy, r#""the \"api\"";q=2;w=60"#);
        let limit = header(&response, "ratelimit").unwrap();
        assert!(
            limit.starts_with(&format!(r#""the \"api\"";r={left};t="#)),
            "{limit}"
        );
        assert_eq!(header(&response, "retry-after"), None);
        assert_eq!(text(response).await, "hello");
    }
    let response = service.clone().oneshot(of("a")).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let kind = header(&response, "content-type");
    assert_eq!(kind, Some("application/problem+json"));
    // Nobody is told to come back before there is more.
    let limit = header(&response, "ratelimit").unwrap();
    let (before, wait) = limit.split_once(";t=").unwrap();
    assert!(before.ends_with("r=0"), "{limit}");
    assert_eq!(header(&response, "retry-after"), Some(wait));
    let wait: u64 = wait.parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let problem = text(response).await;
    assert!(problem.contains(r#""status":429"#) && problem.contains("quota-exceeded"));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let other = service.oneshot(of("b")).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

/// Takes a request only where `poll_ready` has said that it would.
struct Strict {
    ready: bool,
    calls: Arc<AtomicU64>,
}

impl Clone for Strict {
    /// A clone has said nothing yet.
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(self.ready, "it was not asked whether it is ready");
        self.ready = false;
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Response::new(Body::from("inner"))) })
    }
}

#[tokio::test]
async fn the_service_that_is_ready_gets_the_request() {
    let runtime = Runtime::embedded();
    let calls = Arc::new(AtomicU64::new(0));
    let strict = Strict {
        ready: false,
        calls: Arc::clone(&calls),
    };
    let layer = RateLimitLayer::new(policy(&runtime, "api", 100, MINUTE), user);
    let mut service = layer.layer(strict);
    for _ in 0..5 {
        let ready = service.ready().await.unwrap();
        let response = ready.call(of("a")).await.unwrap();
        assert_eq!(text(response).await, "inner");
    }
    // Answers may be waited for after the next request.
    let first = service.ready().await.unwrap().call(of("a"));
    let second = service.ready().await.unwrap().call(of("a"));
    second.await.unwrap();
    first.await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 7);
    assert!(format!("{service:?} {layer:?}").contains("api"));
}

#[tokio::test]
async fn a_denial_can_be_empty_or_of_ones_own() {
    let runtime = Runtime::embedded();
    let none = policy(&runtime, "none", 0, MINUTE);
    let inner = Strict {
        ready: false,
        calls: Arc::default(),
    };
    let layer = RateLimitLayer::new(none, user);
    let empty = layer.clone().deny_with(EmptyBody).layer(inner.clone());
    let response = empty.oneshot(of("a")).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    // Waiting does not help under a limit of 0.
    assert_eq!(header(&response, "retry-after"), None);
    assert_eq!(text(response).await, "");

    let teapot = || {
        let response = Response::builder().status(StatusCode::IM_A_TEAPOT);
        response.body(Body::from("no coffee")).unwrap()
    };
    let own = DenyWith(move |_: &cacheable_runtime::Decision| teapot(), teapot);
    let own = layer.deny_with(own).layer(inner);
    let response = own.oneshot(of("a")).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert!(header(&response, "ratelimit").is_some());
    assert_eq!(text(response).await, "no coffee");
}

/// R19 in front of a service: what is not known is not claimed.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_the_policy_says_what_is_answered() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let inner = Strict {
        ready: false,
        calls: Arc::default(),
    };
    let of_failure = |on_failure| {
        let builder = asking(&runtime, "api", 10, MINUTE).timeout(Duration::from_secs(1));
        let policy = builder.on_failure(on_failure).build().unwrap();
        RateLimitLayer::new(policy, user).layer(inner.clone())
    };
    server.kill();
    for (on_failure, status, retries) in [
        (OnFailure::Error, StatusCode::SERVICE_UNAVAILABLE, true),
        (OnFailure::Open, StatusCode::OK, false),
        (OnFailure::Closed, StatusCode::TOO_MANY_REQUESTS, true),
        (OnFailure::Local, StatusCode::OK, false),
    ] {
        let response = of_failure(on_failure).oneshot(of("a")).await.unwrap();
        assert_eq!(response.status(), status, "{on_failure:?}");
        assert_eq!(header(&response, "retry-after").is_some(), retries);
        let claimed = header(&response, "ratelimit").is_some();
        assert_eq!(claimed, on_failure == OnFailure::Local);
    }
}
