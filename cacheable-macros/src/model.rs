//! Arguments and function, judged together. A model that exists is valid.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::{Expr, Ident, Type, Visibility};

use crate::args::{CacheableArgs, Common, InvalidateArgs, KeyFn, PutArgs};
use crate::check;
use crate::diag::Errors;
use crate::freshness::{self, Late};
use crate::item::{Function, mentions};
use crate::key::{self, Plan};
use crate::krate::Krate;
use crate::refresh::{self, Refresh};
use crate::settings::{self, Site};
use crate::tags::{self, Tags};
use crate::taken::Taken;
use crate::{pattern, target};

/// A function under `#[cacheable]`.
pub(crate) struct Cacheable<'a> {
    pub(crate) function: &'a Function,
    pub(crate) output: Type,
    pub(crate) name: Option<String>,
    pub(crate) site: Site,
    pub(crate) key: Plan,
    pub(crate) tags: Tags,
    pub(crate) late: Option<Late>,
    pub(crate) refresh: Refresh,
    pub(crate) when: Option<Expr>,
    pub(crate) unless: Option<Expr>,
    pub(crate) runtime: Option<Expr>,
    pub(crate) companion: Option<Companion>,
    pub(crate) krate: Krate,
}

/// The function beside the method that names its entry.
pub(crate) struct Companion {
    pub(crate) name: Ident,
    /// Takes `&self`, as the key or the life depends on the instance.
    pub(crate) takes_self: bool,
    pub(crate) taken: Taken,
    /// What `method(self.get(id))` calls: the same, always on an instance.
    pub(crate) on_instance: Option<Ident>,
}

/// A function under `#[cache_invalidate]`.
pub(crate) struct Invalidate<'a> {
    pub(crate) function: &'a Function,
    pub(crate) output: Type,
    pub(crate) name: Option<String>,
    pub(crate) patterns: Vec<Plan>,
    /// Calls of companions.
    pub(crate) methods: Vec<TokenStream>,
    pub(crate) tags: Vec<Plan>,
    pub(crate) when: Option<Expr>,
    pub(crate) unless: Option<Expr>,
    pub(crate) before: bool,
    pub(crate) reporting: bool,
    pub(crate) runtime: Option<Expr>,
    pub(crate) krate: Krate,
}

/// A function under `#[cache_put]`.
pub(crate) struct Put<'a> {
    pub(crate) function: &'a Function,
    pub(crate) output: Type,
    pub(crate) name: Option<String>,
    /// The call of a companion.
    pub(crate) method: TokenStream,
    pub(crate) when: Option<Expr>,
    pub(crate) unless: Option<Expr>,
    pub(crate) runtime: Option<Expr>,
    pub(crate) krate: Krate,
}

impl<'a> Cacheable<'a> {
    pub(crate) fn new(
        args: &CacheableArgs,
        function: &'a Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        check::is_async(function, errors);
        check::nothing_mutable(function, errors);
        let output = check::value_type(function, errors);
        let site = settings::site(args, errors);
        let key = key_plan(args, function, errors);
        let tags = tags::of_entry(&args.tags, function, errors);
        let late = freshness::late(args, function, errors);
        let refresh = refresh::read(args, function, errors);
        let companion = companion(args, function, key.as_ref(), &tags, errors);
        let when = args.when.get().cloned();
        let unless = check::unless(&args.unless, errors);
        let Checked {
            krate,
            runtime,
            name,
        } = Checked::new(&args.common, errors);
        if !errors.is_empty() {
            return None;
        }
        Some(Self {
            function,
            output: output?,
            name,
            site: site?,
            key: key?,
            tags,
            late,
            refresh: refresh?,
            when,
            unless,
            runtime,
            companion,
            krate,
        })
    }
}

fn key_plan(args: &CacheableArgs, function: &Function, errors: &mut Errors) -> Option<Plan> {
    if let (Some(_), Some(name)) = (args.key.name(), args.skip.name()) {
        errors.at(
            name,
            "`skip` contradicts `key`, which lists what the key is made of; remove one of the two",
        );
    }
    if args.key.is_absent() {
        let skip = args.skip.get().map_or(&[][..], Vec::as_slice);
        let runtime = args.common.runtime.get().and_then(name_alone);
        Some(key::of_arguments(function, skip, runtime, errors))
    } else {
        key::of_template(args.key.get()?, function, errors)
    }
}

/// The name in `name` and `&name`. In `name.field` the rest of it may matter for the result.
fn name_alone(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        Expr::Reference(reference) => name_alone(&reference.expr),
        Expr::Paren(inner) => name_alone(&inner.expr),
        Expr::Group(inner) => name_alone(&inner.expr),
        _ => None,
    }
}

fn companion(
    args: &CacheableArgs,
    function: &Function,
    key: Option<&Plan>,
    tags: &Tags,
    errors: &mut Errors,
) -> Option<Companion> {
    let visible = !matches!(function.vis, Visibility::Inherited);
    if function.is_async_trait() {
        if let Some(name) = args.key_fn.name() {
            errors.at(
                name,
                "`key_fn` has no place here, as a trait holds no functions but its own; remove \
                 it, and remove entries by a pattern such as `\"cache:project:*\"`",
            );
        }
        return None;
    }
    if !visible && args.key_fn.is_absent() {
        return None;
    }
    let needs_self = |life: Option<&Expr>| {
        life.is_some_and(|expr| mentions(&quote::ToTokens::to_token_stream(expr), "self"))
    };
    let takes_self =
        key.is_some_and(Plan::uses_self) || tags.uses_self() || needs_self(args.ttl.get());
    let name = companion_name(args, function);
    let on_instance = function
        .receiver()
        .map(|_| format_ident!("{name}_for", span = function.sig.ident.span()));
    Some(Companion {
        name,
        takes_self,
        taken: taken(args, function, key, tags),
        on_instance,
    })
}

pub(crate) fn companion_name(args: &CacheableArgs, function: &Function) -> Ident {
    match args.key_fn.get() {
        Some(KeyFn::Named(name)) => name.clone(),
        _ => target::companion_of(&function.sig.ident),
    }
}

fn taken(args: &CacheableArgs, function: &Function, key: Option<&Plan>, tags: &Tags) -> Taken {
    key.map_or_else(
        || Taken::all(function),
        |key| Taken::new(function, key, tags, args.ttl.get()),
    )
}

/// What the companion of a wrong attribute takes, as far as it can be told.
pub(crate) fn taken_at_best(args: &CacheableArgs, function: &Function) -> Taken {
    let mut reported = Errors::new("cacheable");
    let key = key_plan(args, function, &mut reported);
    let tags = tags::of_entry(&args.tags, function, &mut reported);
    drop(reported.finish());
    taken(args, function, key.as_ref(), &tags)
}

impl<'a> Invalidate<'a> {
    pub(crate) fn new(
        args: &InvalidateArgs,
        function: &'a Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        check::is_async(function, errors);
        check::named_type(function, errors);
        if !args.any && !errors.was_meant("tags") {
            errors.missing(
                "it names nothing to remove; write a pattern such as `\"cache:project:*\"`, \
                 `method(Self::get_project(id))`, or `tags = [\"team:{team}\"]`",
            );
        }
        let patterns: Vec<_> = args
            .patterns
            .iter()
            .filter_map(|text| pattern::read(text, function, errors))
            .collect();
        let methods = args
            .methods
            .iter()
            .filter_map(|method| target::read(method, function, errors))
            .collect();
        let tags = tags::of_removal(&args.tags, function, errors);
        let reporting = check::on_failure(&args.on_failure, function, errors);
        let unless = check::unless(&args.unless, errors);
        let Checked {
            krate,
            runtime,
            name,
        } = Checked::new(&args.common, errors);
        if !errors.is_empty() {
            return None;
        }
        Some(Self {
            output: function
                .output()
                .cloned()
                .unwrap_or_else(|| syn::parse_quote!(())),
            name,
            patterns,
            methods,
            tags,
            when: args.when.get().cloned(),
            unless,
            before: args.before.get().is_some(),
            reporting,
            runtime,
            krate,
            function,
        })
    }
}

impl<'a> Put<'a> {
    pub(crate) fn new(args: &PutArgs, function: &'a Function, errors: &mut Errors) -> Option<Self> {
        check::is_async(function, errors);
        let output = check::value_type(function, errors);
        if args.method.is_absent() && !errors.was_meant("method") {
            errors.missing(
                "it names no entry to store the value under; write the method whose entry it is, \
                 such as `method(Self::get_project(id))`",
            );
        }
        let method = args
            .method
            .get()
            .and_then(|method| target::read(method, function, errors));
        let unless = check::unless(&args.unless, errors);
        let Checked {
            krate,
            runtime,
            name,
        } = Checked::new(&args.common, errors);
        if !errors.is_empty() {
            return None;
        }
        Some(Self {
            output: output?,
            name,
            method: method?,
            when: args.when.get().cloned(),
            unless,
            runtime,
            krate,
            function,
        })
    }
}

/// What all three take, judged.
struct Checked {
    krate: Krate,
    runtime: Option<Expr>,
    name: Option<String>,
}

impl Checked {
    fn new(common: &Common, errors: &mut Errors) -> Self {
        Self {
            krate: Krate::from_args(&common.krate, errors),
            runtime: common.runtime.get().cloned(),
            name: check::label(&common.name, errors),
        }
    }
}
