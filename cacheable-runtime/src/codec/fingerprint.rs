//! What is known of a value type, found once per process.
//!
//! One number stands for the type in every codec. It covers the shape that the
//! type has in a binary format and the one in a readable format, since an
//! address is two different things there; so an entry that was written as
//! `bincode` and one that was written as JSON carry the same fingerprint, and
//! a site whose codec setting changes can still read what it finds.
//!
//! An incomplete shape says less than the type, so the type's name is mixed in
//! as well, and [`Schema::of_version`](super::Schema::of_version) adds the
//! version of the crate that uses it. For a complete shape neither is hashed:
//! the number depends on field names, variant names and kinds alone, and is the
//! same for every process and compiler.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};

use siphasher::sip::SipHasher13;

use super::shape::Shape;
use super::tracer::Tracer;
use super::{CodecId, DecodeError, TypeFns};

/// A value type; leaked, since there are only as many as types.
pub(super) struct TypeInfo {
    /// As a binary format sees it.
    pub(super) shape: Shape,
    /// Of the shapes, without what a site adds.
    digest: u64,
    /// With what most sites add, which is no number.
    plain: u64,
    pub(super) complete: bool,
    /// `bincode` can carry values of this type.
    pub(super) positional: bool,
    /// A value did not have the shape that its type reads, so `bincode` is
    /// tried last.
    pub(super) irregular: AtomicBool,
    /// One value at least was read back, by codec.
    read_back: [AtomicBool; 3],
    decode: fn(CodecId, &[u8]) -> Result<(), DecodeError>,
}

impl TypeInfo {
    /// The fingerprint, with the number that a site adds.
    pub(super) fn fingerprint(&self, extra: u64) -> u64 {
        // Asked for at every look into the store.
        if extra == 0 {
            return self.plain;
        }
        numbered(self.digest, extra)
    }

    /// Reads the bytes back, once per type and codec: a type that writes what
    /// it cannot read would be an eternal miss otherwise.
    pub(super) fn reads_back(&self, codec: CodecId, bytes: &[u8]) -> bool {
        let known = &self.read_back[codec as usize - 1];
        // Only an early end of a check that is repeatable: no ordering needed.
        if known.load(Ordering::Relaxed) {
            return true;
        }
        let ok = (self.decode)(codec, bytes).is_ok();
        known.store(ok, Ordering::Relaxed);
        ok
    }
}

/// `id` is that of the type that `type_fns` are of.
pub(super) fn of(id: TypeId, type_fns: &TypeFns) -> &'static TypeInfo {
    thread_local! {
        /// Those that this thread has met: even a lock that is shared is written
        /// to, and that for every look into the store.
        static KNOWN: RefCell<Types> = RefCell::default();
    }
    let known = KNOWN.try_with(|known| known.borrow().get(&id).copied());
    if let Ok(Some(known)) = known {
        return known;
    }
    let found = among_all(id, type_fns);
    // Unless the thread is ending.
    let _ = KNOWN.try_with(|known| known.borrow_mut().insert(id, found));
    found
}

fn among_all(id: TypeId, type_fns: &TypeFns) -> &'static TypeInfo {
    let known = TYPES
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .copied();
    known.unwrap_or_else(|| {
        // Traced without the lock: that runs code of the type, which may ask
        // for a schema itself. Two threads that do it at once find the same.
        let info = find_out(type_fns);
        let mut types = TYPES.write().unwrap_or_else(PoisonError::into_inner);
        types.entry(id).or_insert_with(|| Box::leak(Box::new(info)))
    })
}

type Types = HashMap<TypeId, &'static TypeInfo, BuildHasherDefault<AsItIs>>;

static TYPES: LazyLock<RwLock<Types>> = LazyLock::new(RwLock::default);

fn find_out(type_fns: &TypeFns) -> TypeInfo {
    let binary = Tracer::trace(false, type_fns.trace);
    let readable = Tracer::trace(true, type_fns.trace);
    let mut hasher = SipHasher13::new_with_key(b"cacheable shape1");
    binary.shape.digest(&mut hasher);
    readable.shape.digest(&mut hasher);
    if !binary.complete {
        hasher.write((type_fns.name)().as_bytes());
    }
    let digest = hasher.finish();
    TypeInfo {
        digest,
        plain: numbered(digest, 0),
        complete: binary.complete,
        positional: binary.complete && !binary.any && !binary.shape.has_weightless_elements(),
        shape: binary.shape,
        irregular: AtomicBool::new(false),
        read_back: Default::default(),
        decode: type_fns.decode,
    }
}

fn numbered(digest: u64, extra: u64) -> u64 {
    mixed(digest, &extra.to_le_bytes())
}

/// The digest with what a site adds.
pub(super) fn mixed(digest: u64, extra: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(b"cacheable extra1");
    hasher.write(&digest.to_le_bytes());
    hasher.write(extra);
    hasher.finish()
}

/// A `TypeId` is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not what `TypeId` does today; any spread will do.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
}
