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

/// What a call returned, taken apart.
///
/// Only [`Failed`](Self::Failed) holds an error, and nothing is awaited while
/// there is one: an error type that is not `Send` costs the method nothing.
#[derive(Debug)]
pub enum Divided<K, R> {
    /// A value: what `Ok` or `Some` holds, or all of it.
    Value(K),
    /// `None`, or `Ok(None)`.
    Absent,
    /// An error, as it was returned.
    Failed(R),
}

/// The division of a return type, whatever is in it.
pub trait Shape: Copy {
    /// The method's return type.
    type Return;
    /// The value as the method returns it: `T` or `Arc<T>`.
    type Kept;
    /// What `unless` sees: `T`.
    type Value: ?Sized;
    /// Whether nothing is a success: `Ok(None)` is, `None` is not.
    const ABSENT_SUCCEEDS: bool;
    /// Takes apart what a call returned.
    fn divide(returned: Self::Return) -> Divided<Self::Kept, Self::Return>;
    /// Puts a value back into what the method returns.
    fn rejoin(kept: Self::Kept) -> Self::Return;
    /// What the method returns for nothing, if it can.
    fn absent() -> Option<Self::Return>;
    /// Looks at a value.
    fn value(kept: &Self::Kept) -> &Self::Value;
}

/// A shape whose value can be kept.
pub trait CachedShape: Shape<Value = Self::Stored, Kept: Send + Sync + 'static> {
    /// The value as it is encoded and shared.
    type Stored: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The value, for others to share.
    fn share(kept: &Self::Kept) -> Arc<Self::Stored>;
    /// What the method would have returned.
    fn restore(value: Arc<Self::Stored>) -> Self::Return;
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

/// Whether the value is behind an `Arc` already.
macro_rules! kept {
    (owned $shape:ident<$($param:ident),+>) => {
        impl<$($param),+> CachedShape for $shape<$($param),+>
        where
            T: Cacheable,
        {
            type Stored = T;
            fn share(kept: &T) -> Arc<T> {
                Arc::new(kept.clone())
            }
            fn restore(value: Arc<T>) -> Self::Return {
                Self::rejoin(Arc::unwrap_or_clone(value))
            }
        }
    };
    (shared $shape:ident<$($param:ident),+>) => {
        impl<$($param),+> CachedShape for $shape<$($param),+>
        where
            T: Shareable,
        {
            type Stored = T;
            fn share(kept: &Arc<T>) -> Arc<T> {
                Arc::clone(kept)
            }
            fn restore(value: Arc<T>) -> Self::Return {
                Self::rejoin(value)
            }
        }
    };
}

/// The layers around the value: which arms take them off, and how they go back
/// on.
macro_rules! layers {
    ($(
        $keeping:ident $shape:ident<$($param:ident),+>: $kept:ty => $return:ty {
            $($pattern:pat => $divided:expr),+;
            rejoin |$value:ident| $rejoin:expr;
            absent $absent:expr, $absent_succeeds:literal
        }
    )+) => {$(
        impl<$($param),+> Shape for $shape<$($param),+> {
            type Return = $return;
            type Kept = $kept;
            type Value = T;
            const ABSENT_SUCCEEDS: bool = $absent_succeeds;
            fn divide(returned: $return) -> Divided<$kept, $return> {
                match returned {
                    $($pattern => $divided),+
                }
            }
            fn rejoin($value: $kept) -> $return {
                $rejoin
            }
            fn absent() -> Option<$return> {
                $absent
            }
            fn value(kept: &$kept) -> &T {
                kept
            }
        }
        kept!($keeping $shape<$($param),+>);
    )+};
}

layers! {
    owned Plain<T>: T => T {
        value => Divided::Value(value);
        rejoin |value| value; absent None, false
    }
    shared PlainArc<T>: Arc<T> => Arc<T> {
        value => Divided::Value(value);
        rejoin |value| value; absent None, false
    }
    owned Optional<T>: T => Option<T> {
        Some(value) => Divided::Value(value), None => Divided::Absent;
        rejoin |value| Some(value); absent Some(None), false
    }
    shared OptionalArc<T>: Arc<T> => Option<Arc<T>> {
        Some(value) => Divided::Value(value), None => Divided::Absent;
        rejoin |value| Some(value); absent Some(None), false
    }
    owned Fallible<T, E>: T => Result<T, E> {
        Ok(value) => Divided::Value(value), failed => Divided::Failed(failed);
        rejoin |value| Ok(value); absent None, false
    }
    shared FallibleArc<T, E>: Arc<T> => Result<Arc<T>, E> {
        Ok(value) => Divided::Value(value), failed => Divided::Failed(failed);
        rejoin |value| Ok(value); absent None, false
    }
    owned FallibleOptional<T, E>: T => Result<Option<T>, E> {
        Ok(Some(value)) => Divided::Value(value), Ok(None) => Divided::Absent, failed => Divided::Failed(failed);
        rejoin |value| Ok(Some(value)); absent Some(Ok(None)), true
    }
    shared FallibleOptionalArc<T, E>: Arc<T> => Result<Option<Arc<T>>, E> {
        Ok(Some(value)) => Divided::Value(value), Ok(None) => Divided::Absent, failed => Divided::Failed(failed);
        rejoin |value| Ok(Some(value)); absent Some(Ok(None)), true
    }
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

/// A shape that has a nothing to return.
#[diagnostic::on_unimplemented(
    message = "`load_timeout` does not know what this method returns when its time is up",
    label = "this return type has no `None` to stand for it",
    note = "write `timeout_error = <expression>` for a `Result`, or return an `Option`"
)]
pub trait AbsentShape: Shape {}
impl<T> AbsentShape for Optional<T> where Self: Shape {}
impl<T> AbsentShape for OptionalArc<T> where Self: Shape {}

/// What a method without `timeout_error` returns when its time is up.
pub fn absent_of<S: AbsentShape>(_: S) -> S::Return {
    S::absent().expect("this shape has an absence")
}

/// What can be copied into a task of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be refreshed in the background",
    label = "this moves a copy of it to another task",
    note = "it must be `Clone + Send + Sync + 'static`; a service is usually made so by `#[derive(Clone)]` over `Arc`s",
    note = "or write `refresh = \"inline\"`, which lets one caller wait for the refresh"
)]
pub trait Detach: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Detach for T {}

/// The copy.
pub fn detached<T: Detach>(it: &T) -> T {
    it.clone()
}
