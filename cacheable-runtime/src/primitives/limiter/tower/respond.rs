//! What is answered in the place of a service.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::primitives::limiter::Decision;

/// What a [`RateLimitLayer`](super::RateLimitLayer) answers by itself: one of
/// [`Problem`], [`EmptyBody`] and [`DenyWith`].
pub trait Respond<B>: sealed::Sealed {
    /// The answer to a request over the limit, without the headers.
    #[doc(hidden)]
    fn denied(&self, decision: &Decision) -> Response<B>;

    /// The answer to a request that nobody could decide on.
    #[doc(hidden)]
    fn failed(&self) -> Response<B>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Problem {}
    impl Sealed for super::EmptyBody {}
    impl<F, G> Sealed for super::DenyWith<F, G> {}
}

/// A status and a short body of the type `application/problem+json`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Problem;

/// A status alone, for services whose bodies are not made of text.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

/// An answer of one's own: the first makes the one to a request over the limit,
/// the second the one to a request that nobody could decide on. The status is
/// theirs, too.
#[derive(Clone, Copy, Debug)]
pub struct DenyWith<F, G>(pub F, pub G);

/// The type that the draft gives to a quota that is used up.
const QUOTA_EXCEEDED: &str = r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too many requests","status":429}"#;

const UNAVAILABLE: &str = r#"{"title":"The rate limit could not be checked","status":503}"#;

impl<B: From<String>> Respond<B> for Problem {
    fn denied(&self, _: &Decision) -> Response<B> {
        problem(StatusCode::TOO_MANY_REQUESTS, QUOTA_EXCEEDED)
    }

    fn failed(&self) -> Response<B> {
        problem(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
    }
}

impl<B: Default> Respond<B> for EmptyBody {
    fn denied(&self, _: &Decision) -> Response<B> {
        status(StatusCode::TOO_MANY_REQUESTS, B::default())
    }

    fn failed(&self) -> Response<B> {
        status(StatusCode::SERVICE_UNAVAILABLE, B::default())
    }
}

impl<B, F, G> Respond<B> for DenyWith<F, G>
where
    F: Fn(&Decision) -> Response<B>,
    G: Fn() -> Response<B>,
{
    fn denied(&self, decision: &Decision) -> Response<B> {
        (self.0)(decision)
    }

    fn failed(&self) -> Response<B> {
        (self.1)()
    }
}

fn status<B>(status: StatusCode, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn problem<B: From<String>>(code: StatusCode, text: &str) -> Response<B> {
    let mut response = status(code, B::from(text.to_owned()));
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
