//! Under the middleware of the crate `tower-sessions`.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::routing::{get, post};
use cacheable_runtime::{Runtime, Sessions, TowerSessions};
use cacheable_tests::{RedisServer, Store};
use tower::ServiceExt;
use tower_sessions::cookie::time::Duration as Span;
use tower_sessions::session::{Id, Record};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::{keys, on};
use crate::on_every_store;

on_every_store!(
    a_service_keeps_its_visitors_apart,
    a_record_expires_when_it_says,
    nothing_is_saved_over_what_has_ended,
);

fn service(sessions: Sessions) -> Router {
    let layer = SessionManagerLayer::new(TowerSessions::new(sessions))
        .with_expiry(Expiry::OnInactivity(Span::minutes(10)));
    Router::new()
        .route("/count", get(count))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(layer)
}

async fn count(session: Session) -> String {
    let count = session
        .get::<u32>("count")
        .await
        .unwrap()
        .unwrap_or_default()
        + 1;
    session.insert("count", count).await.unwrap();
    count.to_string()
}

async fn sign_in(session: Session) {
    session.cycle_id().await.unwrap();
}

async fn sign_out(session: Session) {
    session.flush().await.unwrap();
}

/// What a browser does: it sends its cookie, and keeps what it is given.
async fn visit(service: &Router, method: &str, path: &str, cookie: &mut String) -> String {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(COOKIE, &*cookie)
        .body(Body::empty())
        .unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    if let Some(given) = response.headers().get(SET_COOKIE) {
        let given = given.to_str().unwrap().split(';').next().unwrap();
        given.clone_into(cookie);
    }
    let body = axum::body::to_bytes(response.into_body(), 1000)
        .await
        .unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn a_service_keeps_its_visitors_apart(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions().prefix("web").unwrap();
    let here = service(sessions.clone());
    let there = service(
        store
            .beside(&runtime)
            .await
            .sessions()
            .prefix("web")
            .unwrap(),
    );
    let (mut ann, mut ben) = (String::new(), String::new());
    assert_eq!(visit(&here, "GET", "/count", &mut ann).await, "1");
    assert_eq!(visit(&there, "GET", "/count", &mut ann).await, "2");
    assert_eq!(visit(&there, "GET", "/count", &mut ben).await, "1");
    let mut before = ann.clone();
    visit(&here, "POST", "/sign-in", &mut ann).await;
    assert_ne!(ann, before);
    assert_eq!(visit(&there, "GET", "/count", &mut ann).await, "3");
    // The old id is unknown, and not taken over.
    let planted = before.clone();
    assert_eq!(visit(&here, "GET", "/count", &mut before).await, "1");
    assert_ne!(before, planted);
    visit(&here, "POST", "/sign-out", &mut ann.clone()).await;
    assert_eq!(visit(&here, "GET", "/count", &mut ann).await, "1");
    assert_eq!(visit(&here, "GET", "/count", &mut ben).await, "2");
}

fn record(life: Span) -> Record {
    Record {
        id: Id::default(),
        data: [("name".to_owned(), "a".into())].into(),
        expiry_date: tower_sessions::cookie::time::OffsetDateTime::now_utc() + life,
    }
}

async fn a_record_expires_when_it_says(store: Store) {
    let (runtime, time) = store.timed().await;
    let store = TowerSessions::new(runtime.sessions());
    let mut short = record(Span::milliseconds(1500));
    let mut long = record(Span::days(400));
    // Two of one id are told apart.
    long.id = short.id;
    store.create(&mut short).await.unwrap();
    store.create(&mut long).await.unwrap();
    assert_ne!(short.id, long.id);
    let loaded = store.load(&long.id).await.unwrap().unwrap();
    assert_eq!((loaded.id, &loaded.data), (long.id, &long.data));
    let off = (loaded.expiry_date - long.expiry_date).abs();
    assert!(off < Span::seconds(5), "{off}");
    // A save says when it expires now, later than ever, or sooner.
    let mut saved = record(Span::days(800));
    saved.id = long.id;
    store.save(&saved).await.unwrap();
    let loaded = store.load(&long.id).await.unwrap().unwrap();
    assert!((loaded.expiry_date - saved.expiry_date).abs() < Span::seconds(5));
    time.pass(std::time::Duration::from_millis(1600)).await;
    assert!(store.load(&short.id).await.unwrap().is_none());
    assert!(store.load(&long.id).await.unwrap().is_some());
}

/// S6
async fn nothing_is_saved_over_what_has_ended(store: Store) {
    let runtime = store.runtime().await;
    let store = TowerSessions::new(runtime.sessions());
    let mut record = record(Span::minutes(5));
    store.save(&record).await.unwrap_err();
    store.create(&mut record).await.unwrap();
    store.delete(&record.id).await.unwrap();
    store.delete(&record.id).await.unwrap();
    store.save(&record).await.unwrap_err();
    assert!(store.load(&record.id).await.unwrap().is_none());
}

/// S18: ids are hashed before they leave the process.
#[tokio::test]
async fn no_id_is_kept() {
    let server = RedisServer::start();
    let runtime: Runtime = on(&server).await;
    let store = TowerSessions::new(runtime.sessions());
    let mut record = record(Span::minutes(5));
    store.create(&mut record).await.unwrap();
    let [key] = &keys(&server)[..] else {
        panic!("there is one session");
    };
    let dump: Vec<u8> = server.command(&["DUMP", key]);
    let kept = format!("{key}{}", String::from_utf8_lossy(&dump));
    assert!(!kept.contains(&record.id.to_string()));
    assert!(!kept.contains(&record.id.0.to_string()));
    let left: i64 = server.command(&["PTTL", key]);
    assert!(left > 0);
    assert!(!format!("{store:?}").contains(&record.id.to_string()));
}

/// S19: another program can set any time.
#[tokio::test]
async fn a_life_of_ages_is_no_panic() {
    let server = RedisServer::start();
    let runtime: Runtime = on(&server).await;
    let store = TowerSessions::new(runtime.sessions());
    let mut record = record(Span::minutes(5));
    store.create(&mut record).await.unwrap();
    let key = keys(&server).remove(0);
    server.command::<()>(&["PEXPIRE", &key, "9000000000000000000"]);
    let loaded = store.load(&record.id).await.unwrap().unwrap();
    // No longer than its end says.
    let off = (loaded.expiry_date - record.expiry_date).abs();
    assert!(off < Span::seconds(60), "{off}");
}
