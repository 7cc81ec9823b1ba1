//! The service: sign in, who am I, sign out, sign out everywhere else.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cacheable_runtime::{Session, Sessions};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cookie::{Current, give, take, unavailable};

/// What is kept of a visit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Visit {
    pub pages: u32,
}

/// A visitor who does nothing for so long is signed out.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// And whoever signed in this morning signs in again tomorrow.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/sign-in", post(sign_in))
        .route("/me", get(me))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-elsewhere", post(sign_out_elsewhere))
        .layer(from_fn(from_this_site))
        .with_state(sessions.clone().absolute(DAY))
}

/// A page that anybody can see: it begins a session for a visitor without one.
async fn page(State(sessions): State<Sessions>, current: Option<Current>) -> Answer {
    if let Some(Current(session)) = current {
        let counted = sessions.update(&session.token, |visit: &mut Visit| visit.pages += 1);
        let session = counted.await.map_err(|error| unavailable_or_gone(&error))?;
        return Ok(told(&session).into_response());
    }
    let created = sessions.create_anonymous(&Visit { pages: 1 }, IDLE).await;
    let session = created.map_err(|error| unavailable(&error))?;
    Ok((give(&session.token), told(&session)).into_response())
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// Whoever signs in gets another token than before: one that somebody has
/// planted in this browser is of no use to them.
async fn sign_in(
    State(sessions): State<Sessions>,
    current: Option<Current>,
    Json(credentials): Json<Credentials>,
) -> Answer {
    // A service of yours compares a salted hash here, and limits the attempts.
    if credentials.name.is_empty() || credentials.password != "correct horse" {
        return Err(StatusCode::FORBIDDEN);
    }
    let user = &credentials.name;
    let signed_in = match &current {
        // What somebody else has left in this browser is not for this user.
        Some(Current(before)) if !before.is_anonymous() && before.user_id != *user => {
            let ended = sessions.delete(&before.token).await;
            ended.map_err(|error| unavailable(&error))?;
            sessions.create(user, &Visit::default(), IDLE).await
        }
        Some(Current(before)) => sessions.rotate_as(&before.token, user, IDLE).await,
        None => sessions.create(user, &Visit::default(), IDLE).await,
    };
    match signed_in {
        Ok(session) => Ok((give(&session.token), told(&session)).into_response()),
        // Signed in twice at once: the other request brings the cookie.
        Err(error) if error.is_conflict() => Err(StatusCode::CONFLICT),
        Err(error) => Err(unavailable_or_gone(&error)),
    }
}

/// For those who have signed in.
async fn me(State(sessions): State<Sessions>, Current(session): Current) -> Answer {
    if session.is_anonymous() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let list = sessions
        .list(&session.user_id)
        .await
        .map_err(|error| unavailable(&error))?;
    let places = list.len();
    let visit = &session.data;
    Ok(
        Json(json!({ "user": session.user_id, "pages": visit.pages, "places": places }))
            .into_response(),
    )
}

async fn sign_out(State(sessions): State<Sessions>, Current(session): Current) -> Answer {
    sessions
        .delete(&session.token)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok((take(), StatusCode::NO_CONTENT).into_response())
}

async fn sign_out_elsewhere(State(sessions): State<Sessions>, Current(session): Current) -> Answer {
    if session.is_anonymous() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let revoked = sessions.revoke_all_but(&session.user_id, &session.token);
    let ended = revoked.await.map_err(|error| unavailable(&error))?;
    Ok(Json(json!({ "ended": ended })).into_response())
}

type Answer = Result<Response, StatusCode>;

fn told(session: &Session<Visit>) -> Json<serde_json::Value> {
    Json(json!({ "user": session.user_id, "pages": session.data.pages }))
}

fn unavailable_or_gone(error: &cacheable_runtime::Error) -> StatusCode {
    if error.is_gone() {
        StatusCode::UNAUTHORIZED
    } else {
        unavailable(error)
    }
}

/// A page of another origin must not act for a user. To `SameSite` a neighbour
/// below the same domain is no other site, so it is not enough.
async fn from_this_site(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site");
    // A browser that says nothing is too old to say; `none` is the user.
    let here = site.is_none_or(|site| site == "same-origin" || site == "none");
    if !here && !request.method().is_safe() {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}
