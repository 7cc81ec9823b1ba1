//! An HTTP service with rate limits.
//!
//! ```sh
//! cargo run -p limits            # calls the service a few times, and says what came back
//! cargo run -p limits -- serve   # listens; try `curl -i -H 'x-api-key: me' localhost:3000/hello`
//! ```
//!
//! With `REDIS_URL=redis://…` all processes share the limits.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use cacheable_runtime::{Builder, OnFailure, RateLimitLayer, RateLimiter, RatePolicy};
use tower::ServiceExt;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What a login is checked by.
#[derive(Clone)]
struct Logins {
    limiter: RateLimiter,
    /// A few attempts at once …
    quick: RatePolicy,
    /// … and not many in a day.
    daily: RatePolicy,
}

fn service(limiter: &RateLimiter) -> Outcome<Router> {
    // A service that cannot reach its server goes on serving.
    let api = limiter
        .policy("api")
        .limit(5)
        .per_minute()
        .on_failure(OnFailure::Open)
        .build()?;
    // Guessing passwords is not made easier by taking the server down.
    let quick = limiter
        .policy("login")
        .limit(3)
        .per(Duration::from_secs(10));
    let daily = limiter.policy("login of a day").limit(20).per_day();
    let logins = Logins {
        limiter: limiter.clone(),
        quick: quick.on_failure(OnFailure::Local).build()?,
        daily: daily.on_failure(OnFailure::Local).build()?,
    };
    let login = post(login).with_state(logins);
    Ok(Router::new()
        .route("/hello", get(async || "hello\n"))
        .layer(RateLimitLayer::new(api, api_key))
        .route("/login/{user}", login))
}

/// A real service has checked that it is one that it gave out.
fn api_key(request: &Request<Body>) -> Vec<u8> {
    let key = request.headers().get("x-api-key");
    key.map_or_else(Vec::new, |key| key.as_bytes().to_vec())
}

async fn login(State(logins): State<Logins>, Path(user): Path<String>) -> impl IntoResponse {
    let policies = [&logins.quick, &logins.daily];
    match logins.limiter.check_all(&policies, &user).await {
        Ok(decisions) if decisions.allowed => (StatusCode::OK, "welcome\n".to_owned()),
        Ok(decisions) => {
            let wait = decisions.tightest().retry_after.unwrap_or_default();
            let said = format!("try again in {} s\n", wait.as_secs() + 1);
            (StatusCode::TOO_MANY_REQUESTS, said)
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("limits: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let runtime = Builder::from_env()?.namespace("limits").build().await?;
    let service = service(&runtime.rate_limiter())?;
    if std::env::args().nth(1).as_deref() == Some("serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
        println!("listening on http://{}", listener.local_addr()?);
        axum::serve(listener, service).await?;
        return Ok(());
    }
    // A key that no run before has used.
    let me = format!("run {}", std::process::id());
    for number in 1..=7 {
        let request = Request::get("/hello").header("x-api-key", &me);
        let response = service
            .clone()
            .oneshot(request.body(Body::empty())?)
            .await?;
        println!("GET /hello          {}", shown(&response));
        let denied = response.status() == StatusCode::TOO_MANY_REQUESTS;
        if denied != (number > 5) {
            return Err(format!("call {number} was answered with {}", response.status()).into());
        }
    }
    for number in 1..=4 {
        let path = format!("/login/user-{}", std::process::id());
        let request = Request::post(path).body(Body::empty())?;
        let response = service.clone().oneshot(request).await?;
        println!("POST /login/…       {}", shown(&response));
        if response.status().is_success() != (number <= 3) {
            return Err(format!("login {number} was answered with {}", response.status()).into());
        }
    }
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

fn shown(response: &Response<Body>) -> String {
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|v| v.to_str().ok());
        value.map_or_else(String::new, |value| format!("   {name}: {value}"))
    };
    let (limit, retry) = (header("ratelimit"), header("retry-after"));
    format!("{}{limit}{retry}", response.status())
}
