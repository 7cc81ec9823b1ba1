//! An annotated method: what its attribute says, and who it is.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hasher;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use once_cell::sync::{Lazy, OnceCell};
use siphasher::sip::SipHasher13;

use super::Engine;
use super::begin::Begin;
use super::call::Call;
use super::tags::{add, tag};
use crate::codec::CodecChoice;
use crate::error::Error;
use crate::key::{IntoKey, Key, KeyWriter};
use crate::local::Entries;
use crate::policy::Rules;
use crate::sync::lock;

/// Where an annotated method is.
#[derive(Clone, Copy, Debug)]
pub struct Location {
    /// File and line, for messages.
    pub path: &'static str,
    /// The version of the crate it is in, which tells two forms of a type
    /// apart where its structure does not.
    pub version: &'static str,
}

impl Location {
    /// A place in this crate that stands for its callers.
    pub(crate) const fn of_handle(path: &'static str) -> Self {
        Self { path, version: "" }
    }
}

/// One `#[cacheable]` method: a static in its expansion.
pub struct Site {
    prefix: &'static str,
    method: &'static str,
    location: Location,
    label: Option<&'static str>,
    pub(crate) rules: Rules,
    start: OnceCell<String>,
    full_label: OnceCell<String>,
    number: OnceCell<u32>,
    identities: [OnceCell<(&'static str, u64)>; INSTANCES],
}

impl Site {
    /// A site with the attribute's defaults; see [`Policy`] for them.
    pub const fn new(prefix: &'static str, method: &'static str, location: Location) -> Self {
        Self {
            prefix,
            method,
            location,
            label: None,
            rules: Rules::new(Duration::ZERO),
            start: OnceCell::new(),
            full_label: OnceCell::new(),
            number: OnceCell::new(),
            identities: [const { OnceCell::new() }; INSTANCES],
        }
    }

    /// `ttl`, when it is a literal.
    pub const fn ttl_millis(mut self, millis: u64) -> Self {
        self.rules.ttl = Duration::from_millis(millis);
        self
    }

    /// `none_ttl`
    pub const fn none_ttl_millis(mut self, millis: u64) -> Self {
        self.rules.none_ttl = Some(Duration::from_millis(millis));
        self
    }

    /// `jitter`
    pub const fn jitter(mut self, share: f64) -> Self {
        self.rules = self.rules.jitter(share);
        self
    }

    /// `local`
    pub const fn local(mut self, local: bool) -> Self {
        self.rules.local = local;
        self
    }

    /// `local_ttl`
    pub const fn local_ttl_millis(mut self, millis: u64) -> Self {
        self.rules.local_ttl = Some(Duration::from_millis(millis));
        self
    }

    /// `stale_while_revalidate`
    pub const fn stale_while_revalidate_millis(mut self, millis: u64) -> Self {
        self.rules.stale_while_revalidate = Duration::from_millis(millis);
        self
    }

    /// `stale_if_error`
    pub const fn stale_if_error_millis(mut self, millis: u64) -> Self {
        self.rules.stale_if_error = Duration::from_millis(millis);
        self
    }

    /// `retry_after`
    pub const fn retry_after_millis(mut self, millis: u64) -> Self {
        self.rules.retry_after = Duration::from_millis(millis);
        self
    }

    /// `refresh_ahead`
    pub const fn refresh_ahead(mut self, share: f64) -> Self {
        self.rules = self.rules.refresh_ahead(share);
        self
    }

    /// `beta`
    pub const fn beta(mut self, beta: f64) -> Self {
        self.rules = self.rules.beta(beta);
        self
    }

    /// `load_timeout`
    pub const fn load_timeout_millis(mut self, millis: u64) -> Self {
        self.rules.load_timeout = Some(Duration::from_millis(millis));
        self
    }

    /// `codec`
    pub const fn codec(mut self, codec: CodecChoice) -> Self {
        self.rules.codec = codec;
        self
    }

    /// `schema`
    pub const fn schema(mut self, schema: u64) -> Self {
        self.rules.schema = schema;
        self
    }

    /// `name`
    pub const fn name(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// One call. `key` tells the arguments, which are only borrowed.
    #[inline]
    pub fn call<K: Fn(&mut KeyWriter)>(&'static self, runtime: Option<&Engine>, key: K) -> Call {
        let mut call = Call::direct();
        match Entries::begin(runtime, self, type_name::<K>(), &key, &mut call) {
            Some(value) => Call::hit(Some(value)),
            None => call,
        }
    }

    /// One call whose `when` is false.
    pub fn bypass(&'static self, runtime: Option<&Engine>) -> Call {
        if let Some(engine) = runtime {
            engine.of_site(self).counters.bypassed();
        }
        Call::direct()
    }

    /// The key of one call, for `method(…)` and for the handles.
    pub fn method_key<K: Fn(&mut KeyWriter), R>(&'static self, key: K) -> MethodKey<R> {
        MethodKey {
            site: self,
            identity: self.identity(type_name::<K>()),
            text: self.text(&key),
            ttl: None,
            tags: Ok(Vec::new()),
            tagged_by_value: false,
            returns: PhantomData,
        }
    }

    /// What the keys of all its calls begin with.
    pub(crate) fn start(&self) -> &str {
        self.start
            .get_or_init(|| format!("cache:{}:{}", self.prefix, self.method))
    }

    pub(crate) fn text(&'static self, key: &dyn Fn(&mut KeyWriter)) -> Result<String, Error> {
        let mut writer = KeyWriter::text(self.start());
        key(&mut writer);
        writer.finish_text()
    }

    /// What counters and spans call this site.
    pub(crate) fn label(&'static self) -> &'static str {
        self.label.unwrap_or_else(|| {
            self.full_label
                .get_or_init(|| format!("{}.{}", self.prefix, self.method))
        })
    }

    /// Unlike that of any other site that was called in this process.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        *self
            .number
            .get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn location(&self) -> Location {
        self.location
    }

    /// Tells this method from every other one, also from one of the same name
    /// on another type, or for other type parameters.
    ///
    /// `closure` is the type name of a closure inside the method or its
    /// companion: it begins with the path of what they belong to, type
    /// arguments included. A generic method shares its static between its
    /// instances, so a hash is kept with the name that it is of.
    #[inline]
    pub(crate) fn identity(&self, closure: &'static str) -> u64 {
        for place in &self.identities {
            match place.get() {
                // By address: comparing the texts would cost as much as the hash.
                Some(&(kept, identity)) if std::ptr::eq(kept, closure) => return identity,
                Some(_) => {}
                None => break,
            }
        }
        self.new_identity(closure)
    }

    #[cold]
    fn new_identity(&self, closure: &'static str) -> u64 {
        let identity = hash_identity(owner(closure), self.method);
        lock(&LOCATIONS).insert(identity, self.location.path);
        for place in &self.identities {
            let &(kept, _) = place.get_or_init(|| (closure, identity));
            if std::ptr::eq(kept, closure) {
                break;
            }
        }
        identity
    }
}

/// So many instances of a method have their hashes kept. One that the compiler
/// has put into several places has its name in several, too.
const INSTANCES: usize = 8;

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("prefix", &self.prefix)
            .field("method", &self.method)
            .field("location", &self.location.path)
            .finish_non_exhaustive()
    }
}

/// Where the methods called so far in this process are, by identity.
static LOCATIONS: Lazy<Mutex<HashMap<u64, &'static str>>> = Lazy::new(Mutex::default);

pub(crate) fn location_of(identity: u64) -> Option<&'static str> {
    lock(&LOCATIONS).get(&identity).copied()
}

/// The path before the function's own name: `crate::Users` of
/// `crate::Users::get::{{closure}}`.
fn owner(closure: &str) -> &str {
    let mut path = closure;
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    // The last `::` that is not inside the angle brackets of a type argument.
    let mut depth = 0_u32;
    let bytes = path.as_bytes();
    for at in (1..bytes.len()).rev() {
        match bytes[at] {
            // `->` of a function type closes nothing.
            b'>' if bytes[at - 1] != b'-' => depth += 1,
            b'<' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && bytes[at - 1] == b':' => return &path[..at - 1],
            _ => {}
        }
    }
    path
}

/// Any fixed keys serve: the hash must be the same in every process.
fn hash_identity(owner: &str, method: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x6361_6368_6561_626c, 0x6520_7369_7465_2031);
    hasher.write(owner.as_bytes());
    hasher.write(b"::");
    hasher.write(method.as_bytes());
    // 0 stands for "no site" in an envelope.
    hasher.finish().max(1)
}

/// The key of one call of an annotated method, made by the companion that
/// `#[cacheable]` emits beside it. `R` is the method's return type.
///
/// ```
/// use cacheable_runtime::{Runtime, cacheable};
///
/// #[cacheable(ttl = 60, key_prefix = "square")]
/// pub async fn square(number: u64) -> u64 {
///     number * number
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let runtime = Runtime::embedded();
/// runtime.cache().remove(square_key(12)).await?;
/// assert_eq!(square_key(12).into_key()?.as_str(), "cache:square:square:12");
/// # Ok(()) }
/// # use cacheable_runtime::IntoKey;
/// ```
#[derive(Clone)]
#[must_use = "a key by itself does nothing"]
pub struct MethodKey<R> {
    pub(crate) site: &'static Site,
    pub(crate) identity: u64,
    pub(crate) text: Result<String, Error>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) tags: Result<Vec<String>, Error>,
    pub(crate) tagged_by_value: bool,
    returns: PhantomData<fn() -> R>,
}

impl<R> MethodKey<R> {
    #[doc(hidden)]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// A tag of the entry that is made of the arguments.
    #[doc(hidden)]
    pub fn tag(mut self, text: impl FnOnce(&mut KeyWriter)) -> Self {
        match (&mut self.tags, tag(text)) {
            (Ok(tags), Ok(name)) => add(tags, name),
            (Ok(_), Err(error)) => self.tags = Err(error),
            (Err(_), _) => {}
        }
        self
    }

    /// The entry has tags that come from its value.
    #[doc(hidden)]
    pub fn tagged_by_value(mut self) -> Self {
        self.tagged_by_value = true;
        self
    }

    #[doc(hidden)]
    pub fn kind(&self) -> super::shape::Kind<R> {
        super::shape::Kind::new()
    }

    pub(crate) fn rules(&self) -> Rules {
        let mut rules = self.site.rules;
        if let Some(ttl) = self.ttl {
            rules.ttl = ttl;
        }
        rules
    }
}

impl<R> IntoKey for MethodKey<R> {
    fn into_key(self) -> Result<Key, Error> {
        Key::new(self.text?)
    }
}

impl<R> IntoKey for &MethodKey<R> {
    fn into_key(self) -> Result<Key, Error> {
        Key::new(self.text.as_ref().map_err(Clone::clone)?)
    }
}

impl<R> fmt::Debug for MethodKey<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MethodKey")
            .field("site", &self.site.label())
            .field("key", &self.text)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_path_before_the_function() {
        for (closure, expected) in [
            ("a::m::Users::get::{{closure}}::{{closure}}", "a::m::Users"),
            ("a::m::Users::get_key::{{closure}}", "a::m::Users"),
            ("a::m::G<&str>::g2<u8, u16>::{{closure}}", "a::m::G<&str>"),
            (
                "<a::m::G<a::m::Users> as a::m::R>::f::{{closure}}",
                "<a::m::G<a::m::Users> as a::m::R>",
            ),
            ("a::free<fn(u8) -> a::X<u8>>::{{closure}}", "a"),
            ("a::free::{{closure}}", "a"),
        ] {
            assert_eq!(owner(closure), expected);
        }
    }

    #[test]
    fn a_method_and_its_companion_are_one_site_and_instances_are_not() {
        let site = Site::new("p", "get", Location::of_handle("here"));
        let first = site.identity("a::G<u8>::get::{{closure}}");
        assert_eq!(first, site.identity("a::G<u8>::get_key::{{closure}}"));
        assert_ne!(first, site.identity("a::G<u16>::get::{{closure}}"));
        let other = Site::new("p", "get", Location::of_handle("there"));
        assert_ne!(first, other.identity("a::Orders::get::{{closure}}"));
    }

    #[test]
    fn a_name_is_hashed_once_for_each_place_that_it_stands_in() {
        let site = Site::new("p", "get", Location::of_handle("here"));
        let name = "a::Users::get::{{closure}}";
        let places: Vec<&'static str> = (0..3).map(|_| &*name.to_owned().leak()).collect();
        let kept = || site.identities.iter().filter_map(OnceCell::get).count();
        let first = site.identity(name);
        for known in [4, 4] {
            assert!(places.iter().all(|place| site.identity(place) == first));
            assert_eq!(kept(), known);
        }
        // One that finds no room is hashed again, and the same.
        let many = (0..2 * INSTANCES).map(|_| &*name.to_owned().leak());
        assert!(many.into_iter().all(|place| site.identity(place) == first));
        assert_eq!(kept(), INSTANCES);
    }
}
