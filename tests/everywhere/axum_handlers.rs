//! Annotated methods called by axum handlers, and handlers that are annotated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    load: u64,
}

struct Users {
    runtime: Runtime,
    loads: AtomicU64,
}

impl Users {
    #[cacheable(ttl = 60, key_prefix = "user", runtime = self.runtime)]
    pub(crate) async fn get(&self, id: u64) -> Result<Option<Arc<User>>, StatusCode> {
        let load = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        if id == 13 {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok((id > 0).then(|| Arc::new(User { id, load })))
    }

    #[cache_invalidate(method(Self::get(id)), "cache:page:*", runtime = self.runtime)]
    pub(crate) async fn change(&self, id: u64) -> Result<(), StatusCode> {
        let _ = id;
        Ok(())
    }
}

async fn user(
    State(users): State<Arc<Users>>,
    Path(id): Path<u64>,
) -> Result<Json<User>, StatusCode> {
    let user = users.get(id).await?.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(User::clone(&user)))
}

async fn change(State(users): State<Arc<Users>>, Path(id): Path<u64>) -> Result<(), StatusCode> {
    users.change(id).await
}

/// A handler with the attribute on itself.
#[cacheable(ttl = 60, key_prefix = "page", key = "{id}", runtime = users.runtime)]
async fn page(State(users): State<Arc<Users>>, Path(id): Path<u64>) -> String {
    format!("{id} {}", users.loads.fetch_add(1, Ordering::SeqCst) + 1)
}

async fn ask(router: &Router, method: &str, path: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path);
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap());
    let response = response.await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn handlers_call_annotated_methods() {
    let users = Arc::new(Users {
        runtime: Runtime::embedded(),
        loads: AtomicU64::new(0),
    });
    let router = Router::new()
        .route("/users/{id}", get(user))
        .route("/users/{id}", put(change))
        .route("/pages/{id}", get(page))
        .with_state(users);
    let ok = |body: &str| (StatusCode::OK, body.to_owned());
    for _ in 0..3 {
        assert_eq!(
            ask(&router, "GET", "/users/7").await,
            ok(r#"{"id":7,"load":1}"#)
        );
    }
    assert_eq!(ask(&router, "PUT", "/users/7").await, ok(""));
    assert_eq!(
        ask(&router, "GET", "/users/7").await,
        ok(r#"{"id":7,"load":2}"#)
    );
    for _ in 0..2 {
        assert_eq!(ask(&router, "GET", "/pages/1").await, ok("1 3"));
    }
    assert_eq!(ask(&router, "PUT", "/users/1").await, ok(""));
    assert_eq!(ask(&router, "GET", "/pages/1").await, ok("1 4"));
    for _ in 0..2 {
        let (status, _) = ask(&router, "GET", "/users/0").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, _) = ask(&router, "GET", "/users/13").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(
        ask(&router, "GET", "/users/7").await,
        ok(r#"{"id":7,"load":2}"#)
    );
}
