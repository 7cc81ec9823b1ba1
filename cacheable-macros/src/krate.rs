//! Where the runtime is found: `::cacheable_runtime`, or what `crate = path` says.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{Expr, Path};

use crate::args::Slot;
use crate::diag::Errors;

/// The runtime's crate, as expansions name it.
#[derive(Default)]
pub(crate) struct Krate(Option<Path>);

impl Krate {
    pub(crate) fn from_args(written: &Slot<Expr>, errors: &mut Errors) -> Self {
        match written.get() {
            None => Self::default(),
            Some(expr) => match path_of(expr) {
                Ok(path) => Self(Some(path.clone())),
                Err(reason) => {
                    errors.at(
                        expr,
                        format_args!(
                            "`crate` {reason}; write the path under which this crate sees the \
                             runtime, such as `crate = ::cacheable_runtime`"
                        ),
                    );
                    Self::default()
                }
            },
        }
    }

    /// A public name of the runtime.
    pub(crate) fn public(&self, name: &str) -> TokenStream {
        let name = syn::Ident::new(name, Span::mixed_site());
        let krate = self.at(Span::mixed_site());
        quote_spanned!(Span::mixed_site()=> #krate::#name)
    }

    /// The hidden module that holds all an expansion may name.
    pub(crate) fn private(&self) -> TokenStream {
        self.private_at(Span::mixed_site())
    }

    /// The same, shown elsewhere in messages.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let krate = self.at(span);
        quote_spanned!(span=> #krate::__private)
    }

    fn at(&self, span: Span) -> TokenStream {
        let ours = || quote_spanned!(span=> ::cacheable_runtime);
        self.0.as_ref().map_or_else(ours, Path::to_token_stream)
    }
}

fn path_of(expr: &Expr) -> Result<&Path, &'static str> {
    match expr {
        Expr::Path(expr) if expr.qself.is_none() => {
            let plain = |segment: &syn::PathSegment| segment.arguments.is_none();
            if expr.path.segments.iter().all(plain) {
                Ok(&expr.path)
            } else {
                Err("is a path without type arguments")
            }
        }
        Expr::Lit(_) => Err("is a path, without quotes"),
        _ => Err("is not a path"),
    }
}
