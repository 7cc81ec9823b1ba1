//! What was written in an attribute, with its spans; what it means is judged in `model`.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Expr, LitBool, LitInt, LitStr};

use crate::diag::Errors;
use crate::given::{self, Arguments, Given};

/// The arguments of `#[cacheable]`.
#[derive(Default)]
pub(crate) struct CacheableArgs {
    pub(crate) ttl: Slot<Expr>,
    pub(crate) key_prefix: Slot<LitStr>,
    pub(crate) key: Slot<LitStr>,
    pub(crate) skip: Slot<Vec<Ident>>,
    pub(crate) none_ttl: Slot<Expr>,
    pub(crate) when: Slot<Expr>,
    pub(crate) unless: Slot<Expr>,
    pub(crate) jitter: Slot<Expr>,
    pub(crate) local: Slot<LitBool>,
    pub(crate) local_ttl: Slot<Expr>,
    pub(crate) stale_while_revalidate: Slot<Expr>,
    pub(crate) stale_if_error: Slot<Expr>,
    pub(crate) retry_after: Slot<Expr>,
    pub(crate) refresh_ahead: Slot<Expr>,
    pub(crate) beta: Slot<Expr>,
    pub(crate) refresh: Slot<LitStr>,
    pub(crate) load_timeout: Slot<Expr>,
    pub(crate) timeout_error: Slot<Expr>,
    pub(crate) tags: Slot<Vec<LitStr>>,
    pub(crate) codec: Slot<LitStr>,
    pub(crate) schema: Slot<LitInt>,
    pub(crate) key_fn: Slot<KeyFn>,
    pub(crate) common: Common,
}

/// The arguments of `#[cache_invalidate]`.
#[derive(Default)]
pub(crate) struct InvalidateArgs {
    pub(crate) patterns: Vec<LitStr>,
    pub(crate) methods: Vec<MethodCall>,
    pub(crate) tags: Slot<Vec<LitStr>>,
    pub(crate) when: Slot<Expr>,
    pub(crate) unless: Slot<Expr>,
    pub(crate) before: Slot<()>,
    pub(crate) on_failure: Slot<LitStr>,
    pub(crate) common: Common,
    /// Something was given to remove, even if it could not be read.
    pub(crate) any: bool,
}

/// The arguments of `#[cache_put]`.
#[derive(Default)]
pub(crate) struct PutArgs {
    pub(crate) method: Slot<MethodCall>,
    pub(crate) when: Slot<Expr>,
    pub(crate) unless: Slot<Expr>,
    pub(crate) common: Common,
}

/// What all three attributes take.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) runtime: Slot<Expr>,
    pub(crate) krate: Slot<Expr>,
    pub(crate) name: Slot<LitStr>,
}

/// `key_fn`, or `key_fn = name`.
pub(crate) enum KeyFn {
    Beside,
    Named(Ident),
}

/// `method(Self::get_project(id))`, and the companion's name where it was renamed.
pub(crate) struct MethodCall {
    pub(crate) name: Ident,
    pub(crate) call: Expr,
    pub(crate) key_fn: Option<Ident>,
}

/// One argument: absent, given, or given and unreadable.
pub(crate) struct Slot<T> {
    name: Option<Ident>,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            name: None,
            value: None,
        }
    }
}

impl<T> Slot<T> {
    /// The argument's own name, where it was written.
    pub(crate) fn name(&self) -> Option<&Ident> {
        self.name.as_ref()
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// One that was given.
    #[cfg(test)]
    pub(crate) fn of(value: T) -> Self {
        Self {
            name: Some(Ident::new("given", proc_macro2::Span::call_site())),
            value: Some(value),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.name.is_none()
    }

    fn fill(&mut self, (name, value): (Ident, Option<T>), errors: &mut Errors) {
        if self.name.is_some() {
            errors.at(
                &name,
                format_args!("`{name}` is given twice; keep one of the two"),
            );
        } else {
            self.name = Some(name);
            self.value = value;
        }
    }
}

impl Arguments for CacheableArgs {
    const NAMES: &'static [&'static str] = &[
        "ttl",
        "key_prefix",
        "key",
        "skip",
        "none_ttl",
        "when",
        "unless",
        "jitter",
        "local",
        "local_ttl",
        "stale_while_revalidate",
        "stale_if_error",
        "retry_after",
        "refresh_ahead",
        "beta",
        "refresh",
        "load_timeout",
        "timeout_error",
        "tags",
        "codec",
        "schema",
        "key_fn",
        "runtime",
        "crate",
        "name",
    ];

    fn set(&mut self, given: Given, errors: &mut Errors) {
        match given.name.unraw().to_string().as_str() {
            "ttl" => self.ttl.fill(given.value(errors, "ttl = 3600"), errors),
            "key_prefix" => {
                let read = given.string(errors, "key_prefix = \"project\"");
                self.key_prefix.fill(read, errors);
            }
            "key" => {
                let read = given.string(errors, "key = \"{id}\"");
                self.key.fill(read, errors);
            }
            "skip" => self.skip.fill(given.names(errors, "skip(db)"), errors),
            "none_ttl" => {
                let read = given.value(errors, "none_ttl = 60");
                self.none_ttl.fill(read, errors);
            }
            "when" => self.when.fill(given.value(errors, WHEN), errors),
            "unless" => self.unless.fill(given.value(errors, UNLESS), errors),
            "jitter" => self
                .jitter
                .fill(given.value(errors, "jitter = 0.1"), errors),
            "local" => self
                .local
                .fill(given.boolean(errors, "local = false"), errors),
            "local_ttl" => {
                let read = given.value(errors, "local_ttl = \"10s\"");
                self.local_ttl.fill(read, errors);
            }
            "stale_while_revalidate" => {
                let read = given.value(errors, "stale_while_revalidate = \"10m\"");
                self.stale_while_revalidate.fill(read, errors);
            }
            "stale_if_error" => {
                let read = given.value(errors, "stale_if_error = \"1h\"");
                self.stale_if_error.fill(read, errors);
            }
            "retry_after" => {
                let read = given.value(errors, "retry_after = \"30s\"");
                self.retry_after.fill(read, errors);
            }
            "refresh_ahead" => {
                let read = given.value(errors, "refresh_ahead = 0.8");
                self.refresh_ahead.fill(read, errors);
            }
            "beta" => self.beta.fill(given.value(errors, "beta = 1.0"), errors),
            "refresh" => {
                let read = given.string(errors, "refresh = \"background\"");
                self.refresh.fill(read, errors);
            }
            "load_timeout" => {
                let read = given.value(errors, "load_timeout = \"2s\"");
                self.load_timeout.fill(read, errors);
            }
            "timeout_error" => {
                let read = given.value(errors, "timeout_error = Error::Timeout");
                self.timeout_error.fill(read, errors);
            }
            "tags" => self.tags.fill(given.strings(errors, TAGS), errors),
            "codec" => {
                let read = given.string(errors, "codec = \"json\"");
                self.codec.fill(read, errors);
            }
            "schema" => self.schema.fill(given.number(errors, "schema = 2"), errors),
            "key_fn" => self.key_fn.fill(given.key_fn(errors), errors),
            _ => self.common.set::<Self>(given, errors),
        }
    }

    fn bare(&mut self, text: LitStr, errors: &mut Errors) {
        let value = text.value();
        errors.at(
            text,
            format_args!(
                "a string needs a name here; write `key_prefix = {value:?}` or `key = {value:?}`"
            ),
        );
        errors.meant("key_prefix");
    }
}

impl Arguments for InvalidateArgs {
    const NAMES: &'static [&'static str] = &[
        "method",
        "tags",
        "when",
        "unless",
        "before",
        "on_failure",
        "runtime",
        "crate",
        "name",
    ];

    fn set(&mut self, given: Given, errors: &mut Errors) {
        match given.name.unraw().to_string().as_str() {
            "method" => {
                self.any = true;
                self.methods.extend(given.method(errors).1);
            }
            "tags" => {
                self.any = true;
                self.tags.fill(given.strings(errors, TAGS), errors);
            }
            "when" => self.when.fill(given.value(errors, WHEN), errors),
            "unless" => self.unless.fill(given.value(errors, UNLESS), errors),
            "before" => self.before.fill(given.flag(errors), errors),
            "on_failure" => {
                let read = given.string(errors, "on_failure = \"error\"");
                self.on_failure.fill(read, errors);
            }
            _ => self.common.set::<Self>(given, errors),
        }
    }

    fn bare(&mut self, text: LitStr, _errors: &mut Errors) {
        self.any = true;
        self.patterns.push(text);
    }
}

impl Arguments for PutArgs {
    const NAMES: &'static [&'static str] =
        &["method", "when", "unless", "runtime", "crate", "name"];

    fn set(&mut self, given: Given, errors: &mut Errors) {
        match given.name.unraw().to_string().as_str() {
            "method" if !self.method.is_absent() => errors.at(
                &given.name,
                "a value is stored under one entry and `method` is given twice; keep the one to \
                 fill and remove the other with `#[cache_invalidate(method(..))]`",
            ),
            "method" => self.method.fill(given.method(errors), errors),
            "when" => self.when.fill(given.value(errors, WHEN), errors),
            "unless" => self.unless.fill(given.value(errors, UNLESS), errors),
            _ => self.common.set::<Self>(given, errors),
        }
    }

    fn bare(&mut self, text: LitStr, errors: &mut Errors) {
        errors.at(
            text,
            "a value is stored under the entry of a method, not under a pattern; write \
             `method(Self::get_project(id))`",
        );
        errors.meant("method");
    }
}

impl Common {
    fn set<A: Arguments>(&mut self, given: Given, errors: &mut Errors) {
        match given.name.unraw().to_string().as_str() {
            "runtime" => {
                let read = given.value(errors, "runtime = self.runtime");
                self.runtime.fill(read, errors);
            }
            "crate" => {
                let read = given.value(errors, "crate = ::cacheable_runtime");
                self.krate.fill(read, errors);
            }
            "name" => {
                let read = given.string(errors, "name = \"project.get\"");
                self.name.fill(read, errors);
            }
            _ => given::refuse_name::<A>(&given.name, errors),
        }
    }
}

const TAGS: &str = "tags = [\"team:{team}\"]";
const WHEN: &str = "when = id != 0";
const UNLESS: &str = "unless = |value| value.is_draft";
