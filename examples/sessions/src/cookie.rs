//! The token of a session in a cookie, and the session in a handler.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use cacheable_runtime::{Session, SessionToken, Sessions};

use crate::service::Visit;

/// Browsers take a cookie of a name like this only over HTTPS, for this host
/// and for all of its paths.
const NAME: &str = "__Host-session";

/// The session of a request, for handlers that need one. Without one the
/// request is answered with 401.
pub struct Current(pub Session<Visit>);

impl FromRequestParts<Sessions> for Current {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        sessions: &Sessions,
    ) -> Result<Self, StatusCode> {
        found(parts, sessions)
            .await?
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// For handlers that do without one.
impl OptionalFromRequestParts<Sessions> for Current {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        sessions: &Sessions,
    ) -> Result<Option<Self>, StatusCode> {
        found(parts, sessions).await
    }
}

async fn found(parts: &Parts, sessions: &Sessions) -> Result<Option<Current>, StatusCode> {
    let Some(token) = token(parts) else {
        return Ok(None);
    };
    let session = sessions
        .get(&token)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(session.map(Current))
}

/// What the browser sent. What is no token is treated as none.
fn token(parts: &Parts) -> Option<SessionToken> {
    let cookies = parts.headers.get_all(COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split("; "))
        .filter_map(|cookie| cookie.split_once('='));
    let (_, text) = pairs.find(|(name, _)| *name == NAME)?;
    SessionToken::parse(text).ok()
}

/// Gives the browser a token: no script can read it, and no other site's form
/// sends it.
pub fn give(token: &SessionToken) -> [(HeaderName, HeaderValue); 1] {
    let text = token.expose();
    header(&format!(
        "{NAME}={text}; Path=/; HttpOnly; Secure; SameSite=Lax"
    ))
}

/// Takes it away again.
pub fn take() -> [(HeaderName, HeaderValue); 1] {
    header(&format!(
        "{NAME}=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0"
    ))
}

fn header(cookie: &str) -> [(HeaderName, HeaderValue); 1] {
    let mut value = HeaderValue::from_str(cookie).expect("a token is plain text");
    // It is left out of what is logged of a response.
    value.set_sensitive(true);
    [(SET_COOKIE, value)]
}

/// A store that cannot be asked lets nobody in, and says no more than that.
pub fn unavailable(error: &cacheable_runtime::Error) -> StatusCode {
    eprintln!("sessions: {error}");
    StatusCode::SERVICE_UNAVAILABLE
}
