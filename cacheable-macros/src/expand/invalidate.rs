//! `#[cache_invalidate]`: what goes is named before the body, and removed after it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{condition, descriptor, location, runtime, wrap, writer};
use crate::model::Invalidate;

pub(crate) fn expand(model: &Invalidate) -> TokenStream {
    wrap(&model.function, &call(model), &run(model))
}

fn call(model: &Invalidate) -> TokenStream {
    let private = model.krate.private();
    let site = descriptor();
    let method = model.function.name();
    let location = location(&model.function, &model.krate);
    let label = model.name.iter();
    let runtime = runtime(model.runtime.as_ref(), &model.krate);
    let patterns = model.patterns.iter().map(|plan| writer(plan, &model.krate));
    let methods = &model.methods;
    let before = model.before.then(|| quote!(.before()));
    let begun = quote_spanned! {Span::mixed_site()=>
        #site.begin(#runtime) #(.pattern(#patterns))* #(.method(#methods))* #before
    };
    let skipped = quote_spanned!(Span::mixed_site()=> #site.skip());
    let call = condition(model.when.as_ref(), &begun, &skipped);
    quote_spanned! {Span::mixed_site()=> {
        static #site: #private::Invalidation =
            #private::Invalidation::new(#method, #location) #(.name(#label))*;
        #call
    }}
}

fn run(model: &Invalidate) -> TokenStream {
    let private = model.krate.private();
    let body = super::local("__cacheable_body");
    let output = match &model.output {
        Some(output) => quote!(#output),
        None => quote!(()),
    };
    let run = super::local(match (model.unless.is_some(), model.reporting) {
        (false, false) => "run",
        (true, false) => "run_unless",
        (false, true) => "run_reporting",
        (true, true) => "run_unless_reporting",
    });
    let unless = model.unless.iter();
    quote_spanned! {Span::mixed_site()=>
        #run(#private::shape!(#output), #body #(, #unless)*)
    }
}
