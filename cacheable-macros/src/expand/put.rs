//! `#[cache_put]`: the body always runs, and its value becomes another method's entry.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::{condition, descriptor, local, location, runtime, wrap};
use crate::model::Put;

pub(crate) fn expand(model: &Put) -> TokenStream {
    wrap(&model.function, &call(model), &run(model))
}

fn call(model: &Put) -> TokenStream {
    let private = model.krate.private();
    let site = descriptor();
    let method = model.function.name();
    let location = location(&model.function, &model.krate);
    let label = model.name.iter();
    let runtime = runtime(model.runtime.as_ref(), &model.krate);
    let entry = &model.method;
    let [key, target] = ["__cacheable_key", "__cacheable_target"].map(local);
    let begun = quote_spanned!(Span::mixed_site()=> #site.begin(#runtime, #key));
    let skipped = quote_spanned!(Span::mixed_site()=> #site.skip(#key));
    let call = condition(model.when.as_ref(), &begun, &skipped);
    quote_spanned! {Span::mixed_site()=> {
        static #site: #private::Put = #private::Put::new(#method, #location) #(.name(#label))*;
        let #key = #entry;
        let #target = #private::shape_of_key!(&#key);
        (#call, #target)
    }}
}

fn run(model: &Put) -> TokenStream {
    let private = model.krate.private();
    let output = &model.output;
    let [call, body] = ["__cacheable_call", "__cacheable_body"].map(local);
    let run = local(if model.unless.is_some() {
        "run_unless"
    } else {
        "run"
    });
    let unless = model.unless.iter();
    quote_spanned! {Span::mixed_site()=>
        0.#run(#private::shape!(#output), #call.1, #body #(, #unless)*)
    }
}
