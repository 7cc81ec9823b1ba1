//! When the type that a method belongs to is part of its key.
//!
//! Methods of `impl ProjectService` have no need of it: another type has its
//! own attribute, and with it its own prefix or method name. But one attribute
//! in `impl<T> Store<T>`, or on a default method of a trait, serves many types,
//! and `Store<User>::count()` is not `Store<Order>::count()`.
//!
//! An attribute sees neither the `impl` nor the trait around its method, so
//! the compiler decides, by method look-up: where `Self` stands for any type,
//! nothing is known of it, not even `Unpin`, which hardly anything is bounded
//! by. A generic type that is `Unpin` all the same is told by the brackets in
//! its name. A type of one's own that is not `Unpin` has its name in its keys
//! without need, which harms nothing.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use super::KeyWriter;

/// `Self` of an annotated method.
pub struct Owner<T: ?Sized>(PhantomData<fn() -> *const T>);

impl<T: ?Sized> Owner<T> {
    /// The owner `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ?Sized> Default for Owner<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({})", type_name::<T>())
    }
}

/// Found first: a type of which something is known.
pub trait ConcreteOwner {
    /// Writes the type if it is one of many.
    fn write(self, key: &mut KeyWriter);
}

impl<T: Unpin + ?Sized> ConcreteOwner for &&Owner<T> {
    fn write(self, key: &mut KeyWriter) {
        if type_name::<T>().contains('<') {
            key.type_arg::<T>();
        }
    }
}

/// Found otherwise.
pub trait AnyOwner {
    /// Writes the type.
    fn write(self, key: &mut KeyWriter);
}

impl<T: ?Sized> AnyOwner for &Owner<T> {
    fn write(self, key: &mut KeyWriter) {
        key.type_arg::<T>();
    }
}
