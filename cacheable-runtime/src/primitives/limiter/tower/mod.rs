//! A limit as a layer of `tower`, in front of any HTTP service.

mod headers;
mod respond;

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::RatePolicy;
pub use respond::{DenyWith, EmptyBody, Problem, Respond};

/// Puts a [`RatePolicy`] in front of a service: a request over the limit is
/// answered with 429 and does not reach it. Needs the feature `tower`.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// use cacheable_runtime::{RateLimitLayer, Runtime};
/// use http::{Request, Response};
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Runtime::embedded().rate_limiter();
/// let policy = limiter.policy("api").limit(1).per_minute().build()?;
/// let by_key = |request: &Request<String>| {
///     let key = request.headers().get("x-api-key");
///     key.map_or_else(Vec::new, |key| key.as_bytes().to_vec())
/// };
/// let mut service = ServiceBuilder::new()
///     .layer(RateLimitLayer::new(policy, by_key))
///     .service(service_fn(async |_: Request<String>| {
///         Ok::<_, Infallible>(Response::new("hello".to_owned()))
///     }));
///
/// let response = service.ready().await?.call(Request::new(String::new())).await?;
/// assert_eq!(response.headers()["ratelimit"], "\"api\";r=0;t=60");
/// let response = service.ready().await?.call(Request::new(String::new())).await?;
/// assert_eq!(response.status(), 429);
/// assert_eq!(response.headers()["retry-after"], "60");
/// # Ok(()) }
/// ```
///
/// Every answer has the headers `RateLimit-Policy` and `RateLimit` of the
/// IETF's draft (`draft-ietf-httpapi-ratelimit-headers-10`): of a policy `q`
/// is the limit and `w` the window in seconds, and `r` is what remains and `t`
/// the seconds until more does. A denial has `Retry-After`, too. Headers that
/// are there already, from a limit further inside, stay beside these.
///
/// A check that returns an error, as it may with
/// [`OnFailure::Error`](super::OnFailure::Error), is answered with 503; a
/// policy for the web rather says
/// [`on_failure`](super::RatePolicyBuilder::on_failure). Where nobody could
/// decide, no `RateLimit` is claimed.
#[derive(Clone)]
pub struct RateLimitLayer<F, R = Problem> {
    policy: RatePolicy,
    key: Arc<F>,
    respond: R,
}

impl<F> RateLimitLayer<F> {
    /// `key`: by what a request is counted, such as the user or the address it
    /// comes from. A header that a client chooses freely is as good as no
    /// limit.
    ///
    /// A denial has a short body of the type `application/problem+json`
    /// (RFC 9457), so the service's bodies must be made of a `String`; for
    /// others there is [`deny_with`](RateLimitLayer::deny_with).
    pub fn new(policy: RatePolicy, key: F) -> Self {
        Self {
            policy,
            key: Arc::new(key),
            respond: Problem,
        }
    }
}

impl<F, R> RateLimitLayer<F, R> {
    /// What a denial is answered with: [`Problem`], [`EmptyBody`], or a
    /// [`DenyWith`]. The headers are added to it. Default: [`Problem`].
    pub fn deny_with<D>(self, respond: D) -> RateLimitLayer<F, D> {
        RateLimitLayer {
            policy: self.policy,
            key: self.key,
            respond,
        }
    }
}

impl<S, F, R: Clone> Layer<S> for RateLimitLayer<F, R> {
    type Service = RateLimitService<S, F, R>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService {
            inner,
            policy: self.policy.clone(),
            key: Arc::clone(&self.key),
            respond: self.respond.clone(),
        }
    }
}

/// A service behind a limit: what a [`RateLimitLayer`] makes.
#[derive(Clone)]
pub struct RateLimitService<S, F, R = Problem> {
    inner: S,
    policy: RatePolicy,
    key: Arc<F>,
    respond: R,
}

/// The answer of a [`RateLimitService`].
pub type RateLimitFuture<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

impl<S, F, R, K, B, Out> Service<Request<B>> for RateLimitService<S, F, R>
where
    S: Service<Request<B>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    F: Fn(&Request<B>) -> K,
    K: AsRef<[u8]>,
    R: Respond<Out> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = RateLimitFuture<Out, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that said it is ready takes the request, and a clone, which
        // has said nothing yet, its place.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let (policy, respond) = (self.policy.clone(), self.respond.clone());
        // Bytes of its own, so that the key need not be `Send`.
        let key = (self.key)(&request).as_ref().to_vec();
        Box::pin(async move {
            let decision = match policy.check(&key).await {
                Ok(decision) => decision,
                Err(error) => {
                    tracing::warn!(policy = policy.name(), %error, "a request was refused, since its limit could not be checked");
                    return Ok(headers::unavailable(respond.failed()));
                }
            };
            let response = if decision.allowed {
                inner.call(request).await?
            } else {
                headers::denied(respond.denied(&decision), &decision)
            };
            Ok(headers::limits(response, &policy, &decision))
        })
    }
}

impl<F, R> fmt::Debug for RateLimitLayer<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<S, F, R> fmt::Debug for RateLimitService<S, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitService")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
