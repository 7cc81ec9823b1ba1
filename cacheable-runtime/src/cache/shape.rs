//! How a return type divides into a value to keep and the rest.
//!
//! `Result`, `Option` and `Arc` are told from plain values by the type, not by
//! its spelling, so an alias behaves as what it stands for. That needs no
//! specialization: [`shape!`](crate::__private::shape) calls a method on
//! `&&&Kind<R>`, and method look-up tries the most specific of the traits
//! below first because it needs the fewest dereferences.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// What a call returned, as the cache sees it.
#[derive(Debug)]
pub enum Verdict<'a, T: ?Sized> {
    /// It returned a value.
    Value(&'a T),
    /// It returned `None`.
    Absent,
    /// It returned an error.
    Failed,
}

/// The division of a return type, whatever is in it.
pub trait Shape: Copy {
    /// The method's return type.
    type Return;
    /// What `unless` sees.
    type Value: ?Sized;
    /// Looks at what a call returned.
    fn verdict(returned: &Self::Return) -> Verdict<'_, Self::Value>;
    /// Whether the call did what it was asked to: `Ok`, `Some`, or a plain
    /// value. `Ok(None)` did.
    fn succeeded(returned: &Self::Return) -> bool;
}

/// A shape whose value can be kept.
pub trait CachedShape: Shape<Value = Self::Stored> {
    /// The value as it is encoded and shared.
    type Stored: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The value, for others to share.
    fn share(returned: &Self::Return) -> Option<Arc<Self::Stored>>;
    /// What the method would have returned.
    fn restore(value: Arc<Self::Stored>) -> Self::Return;
    /// What the method returns for nothing, if it can.
    fn absent() -> Option<Self::Return>;
}

/// A shape that can report an error of the cache.
pub trait FallibleShape: Shape {
    /// Turns an error of the cache into one of the method.
    fn fail(error: Error) -> Self::Return;
}

/// A value that the cache keeps by copying it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached",
    label = "this method's value cannot be kept in the cache",
    note = "a cached value must be `Serialize + DeserializeOwned + Clone + Send + Sync + 'static`",
    note = "write `#[derive(Clone, serde::Serialize, serde::Deserialize)]` on `{Self}`, or return `Arc<{Self}>` to do without `Clone`"
)]
pub trait Cacheable: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Cacheable for T {}

/// A value that the cache shares behind an [`Arc`].
#[diagnostic::on_unimplemented(
    message = "`Arc<{Self}>` cannot be cached",
    label = "this method's value cannot be kept in the cache",
    note = "a cached value must be `Serialize + DeserializeOwned + Send + Sync + 'static`",
    note = "write `#[derive(serde::Serialize, serde::Deserialize)]` on `{Self}`"
)]
pub trait Shareable: Serialize + DeserializeOwned + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Shareable for T {}

/// A return type, waiting for its shape.
pub struct Kind<R>(PhantomData<fn() -> R>);

impl<R> Kind<R> {
    /// The kind of `R`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Copy for Kind<R> {}

impl<R> Clone for Kind<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Default for Kind<R> {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! shape_types {
    ($($(#[$doc:meta])* $name:ident<$($param:ident),+>;)+) => {$(
        $(#[$doc])*
        pub struct $name<$($param),+>(PhantomData<fn() -> ($($param,)+)>);
        impl<$($param),+> $name<$($param),+> {
            const fn new() -> Self {
                Self(PhantomData)
            }
        }
        impl<$($param),+> Copy for $name<$($param),+> {}
        impl<$($param),+> Clone for $name<$($param),+> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<$($param),+> fmt::Debug for $name<$($param),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )+};
}

shape_types! {
    /// `T`
    Plain<T>;
    /// `Arc<T>`
    PlainArc<T>;
    /// `Option<T>`
    Optional<T>;
    /// `Option<Arc<T>>`
    OptionalArc<T>;
    /// `Result<T, E>`
    Fallible<T, E>;
    /// `Result<Arc<T>, E>`
    FallibleArc<T, E>;
    /// `Result<Option<T>, E>`
    FallibleOptional<T, E>;
    /// `Result<Option<Arc<T>>, E>`
    FallibleOptionalArc<T, E>;
}

impl<R> fmt::Debug for Kind<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kind")
    }
}

/// The last resort: the type is the value.
pub trait ByValue<T> {
    /// The shape of the type.
    fn shape(self) -> Plain<T>;
}
impl<T> ByValue<T> for Kind<T> {
    fn shape(self) -> Plain<T> {
        Plain::new()
    }
}

/// Before it: one layer is known.
pub trait ByLayer {
    /// The shape of the type.
    type Shape;
    /// The shape of the type.
    fn shape(self) -> Self::Shape;
}
/// Before that: two layers are known.
pub trait ByTwoLayers {
    /// The shape of the type.
    type Shape;
    /// The shape of the type.
    fn shape(self) -> Self::Shape;
}
/// First of all: three layers are known.
pub trait ByThreeLayers {
    /// The shape of the type.
    type Shape;
    /// The shape of the type.
    fn shape(self) -> Self::Shape;
}

macro_rules! shapes {
    ($($trait:ident: $ty:ty => $shape:ident<$($param:ident),+>, $kind:ty;)+) => {$(
        impl<$($param),+> $trait for $kind {
            type Shape = $shape<$($param),+>;
            fn shape(self) -> Self::Shape {
                $shape::new()
            }
        }
    )+};
}

shapes! {
    ByLayer: Arc<T> => PlainArc<T>, &Kind<Arc<T>>;
    ByLayer: Option<T> => Optional<T>, &Kind<Option<T>>;
    ByLayer: Result<T, E> => Fallible<T, E>, &Kind<Result<T, E>>;
    ByTwoLayers: Option<Arc<T>> => OptionalArc<T>, &&Kind<Option<Arc<T>>>;
    ByTwoLayers: Result<Arc<T>, E> => FallibleArc<T, E>, &&Kind<Result<Arc<T>, E>>;
    ByTwoLayers: Result<Option<T>, E> => FallibleOptional<T, E>, &&Kind<Result<Option<T>, E>>;
    ByThreeLayers: Result<Option<Arc<T>>, E> => FallibleOptionalArc<T, E>, &&&Kind<Result<Option<Arc<T>>, E>>;
}

/// The eight forms differ in which layers they take off and put back; the
/// patterns and expressions below are the layers.
macro_rules! layers {
    ($(
        $shape:ident<$($param:ident),+> of $return:ty, $bound:ident;
        $pattern:pat => $value:ident;
        share $share:expr;
        restore |$arc:ident| $restore:expr;
        absent $absent:expr;
        none $none:pat, $guard:expr;
        succeeds $success:pat,
    )+) => {$(
        impl<$($param),+> Shape for $shape<$($param),+> {
            type Return = $return;
            type Value = T;
            fn verdict(returned: &$return) -> Verdict<'_, T> {
                #[allow(unreachable_patterns, reason = "plain values have one arm")]
                match returned {
                    $pattern => Verdict::Value($value),
                    $none if $guard => Verdict::Absent,
                    _ => Verdict::Failed,
                }
            }
            fn succeeded(returned: &$return) -> bool {
                #[allow(clippy::redundant_pattern_matching, reason = "one form for all shapes")]
                let succeeded = matches!(returned, $success);
                succeeded
            }
        }
        impl<$($param),+> CachedShape for $shape<$($param),+>
        where
            T: $bound,
        {
            type Stored = T;
            fn share(returned: &$return) -> Option<Arc<T>> {
                #[allow(unreachable_patterns, reason = "plain values have one arm")]
                match returned {
                    $pattern => Some($share),
                    _ => None,
                }
            }
            fn restore($arc: Arc<T>) -> $return {
                $restore
            }
            fn absent() -> Option<$return> {
                $absent
            }
        }
    )+};
}

layers! {
    Plain<T> of T, Cacheable;
        value => value; share Arc::new(value.clone());
        restore |arc| Arc::unwrap_or_clone(arc); absent None; none _, false; succeeds _,
    PlainArc<T> of Arc<T>, Shareable;
        value => value; share Arc::clone(value);
        restore |arc| arc; absent None; none _, false; succeeds _,
    Optional<T> of Option<T>, Cacheable;
        Some(value) => value; share Arc::new(value.clone());
        restore |arc| Some(Arc::unwrap_or_clone(arc)); absent Some(None); none None, true; succeeds Some(_),
    OptionalArc<T> of Option<Arc<T>>, Shareable;
        Some(value) => value; share Arc::clone(value);
        restore |arc| Some(arc); absent Some(None); none None, true; succeeds Some(_),
    Fallible<T, E> of Result<T, E>, Cacheable;
        Ok(value) => value; share Arc::new(value.clone());
        restore |arc| Ok(Arc::unwrap_or_clone(arc)); absent None; none Err(_), false; succeeds Ok(_),
    FallibleArc<T, E> of Result<Arc<T>, E>, Shareable;
        Ok(value) => value; share Arc::clone(value);
        restore |arc| Ok(arc); absent None; none Err(_), false; succeeds Ok(_),
    FallibleOptional<T, E> of Result<Option<T>, E>, Cacheable;
        Ok(Some(value)) => value; share Arc::new(value.clone());
        restore |arc| Ok(Some(Arc::unwrap_or_clone(arc))); absent Some(Ok(None)); none Ok(None), true; succeeds Ok(_),
    FallibleOptionalArc<T, E> of Result<Option<Arc<T>>, E>, Shareable;
        Ok(Some(value)) => value; share Arc::clone(value);
        restore |arc| Ok(Some(arc)); absent Some(Ok(None)); none Ok(None), true; succeeds Ok(_),
}

/// An error type that can hold one of the cache.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold an error of the cache",
    label = "`on_failure = \"error\"` returns a failed invalidation as this type",
    note = "write `impl From<cacheable_runtime::Error> for {Self}`, or leave `on_failure` out to have failures counted and logged"
)]
pub trait HoldsError: From<Error> {}
#[diagnostic::do_not_recommend]
impl<E: From<Error>> HoldsError for E {}

macro_rules! fallible {
    ($($shape:ident<$($param:ident),+>),+) => {$(
        impl<$($param),+> FallibleShape for $shape<$($param),+>
        where
            E: HoldsError,
        {
            fn fail(error: Error) -> Self::Return {
                Err(error.into())
            }
        }
    )+};
}
fallible!(Fallible<T, E>, FallibleArc<T, E>, FallibleOptional<T, E>, FallibleOptionalArc<T, E>);
