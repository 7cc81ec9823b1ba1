//! `#[cache_invalidate]`: what goes is named before the body, and removed after it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{condition, run, runtime, site, tag_writer, wrap, writer};
use crate::model::Invalidate;

pub(crate) fn expand(model: &Invalidate<'_>) -> TokenStream {
    let unless = model.unless.as_ref();
    let method = match (unless.is_some(), model.reporting) {
        (false, false) => "run",
        (true, false) => "run_unless",
        (false, true) => "run_reporting",
        (true, true) => "run_unless_reporting",
    };
    let run = run(method, &model.output, &model.krate, None, unless);
    wrap(model.function, &model.krate, &call(model), &run, None)
}

fn call(model: &Invalidate<'_>) -> TokenStream {
    let label = model.name.clone().unwrap_or_else(|| model.function.name());
    let descriptor = quote_spanned!(Span::mixed_site()=> Invalidation(#label));
    let runtime = runtime(model.runtime.as_ref(), &model.krate);
    let patterns = model.patterns.iter().map(writer);
    let methods = &model.methods;
    let tags = model.tags.iter().map(tag_writer);
    let before = model.before.then(|| quote!(.before()));
    let begun = quote_spanned! {Span::mixed_site()=>
        begin(#runtime) #(.pattern(#patterns))* #(.method(#methods))* #(.tag(#tags))* #before
    };
    let skipped = quote_spanned!(Span::mixed_site()=> skip());
    let site = site(&model.krate, &descriptor);
    condition(model.when.as_ref(), &site, &begun, &skipped)
}
