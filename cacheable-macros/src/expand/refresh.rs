//! The function beside a method that makes its call again, in the background.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::companion::turbofish;
use super::{local, near};
use crate::model::Cacheable;
use crate::refresh::Again;

/// `.refresh(|| Self::again(..))`, which the runtime calls where it is due.
pub(super) fn setter(again: &Again) -> TokenStream {
    let at = again.at;
    let name = &again.name;
    let own = own(again);
    let turbofish = turbofish(&again.generics);
    let receiver = again.receiver.iter().map(|receiver| {
        let reference = (!receiver.by_reference).then(|| quote_spanned!(at=> &));
        let this = receiver.token;
        quote!(#reference #this)
    });
    let params = again.params.iter().map(|param| {
        let name = &param.name;
        let reference = (!param.by_reference).then(|| quote_spanned!(near(name)=> &));
        quote!(#reference #name)
    });
    let lent = receiver.chain(params);
    quote_spanned!(at=> .refresh(|| #own #name #turbofish(#(#lent),*)))
}

/// The function. It is a plain one that returns a box: the future of an `async fn` would
/// have to be known to be `Send` in order to know that it is.
pub(super) fn function(model: &Cacheable<'_>, again: &Again) -> TokenStream {
    let function = model.function;
    let at = again.at;
    let private = model.krate.private_at(at);
    let mut inputs = Vec::new();
    let mut copies = Vec::new();
    let mut handed = Vec::new();
    if let Some(receiver) = &again.receiver {
        let this = Ident::new("__cacheable_self", at);
        let ty = &receiver.ty;
        let reference = receiver.by_reference.then(|| quote_spanned!(at=> &));
        inputs.push(quote_spanned!(at=> #this: &#ty));
        // What an instance needs to wait in another task is said by its bound.
        copies.push(quote_spanned!(at=> let #this = #private::detached(#this);));
        handed.push(quote_spanned!(at=> #reference #this));
    }
    for (index, param) in again.params.iter().enumerate() {
        let (name, ty) = (local(&format!("__cacheable_{index}")), &param.ty);
        let here = near(ty);
        inputs.push(quote_spanned!(here=> #name: &#ty));
        if param.by_reference {
            copies.push(quote_spanned! {here=>
                let #name = <#ty as ::std::borrow::ToOwned>::to_owned(#name);
            });
            handed.push(quote_spanned!(here=> ::core::borrow::Borrow::<#ty>::borrow(&#name)));
        } else {
            copies.push(quote_spanned! {here=>
                let #name = <#ty as ::core::clone::Clone>::clone(#name);
            });
            handed.push(quote_spanned!(here=> #name));
        }
    }
    let own = own(again);
    let method = &function.sig.ident;
    let turbofish = turbofish(&again.generics);
    let name = &again.name;
    let generics = &again.generics;
    let bounds = &generics.where_clause;
    let shared = function.shared_attrs();
    quote_spanned! {at=>
        #(#shared)*
        #[doc(hidden)]
        #[allow(dead_code, deprecated)]
        fn #name #generics(#(#inputs),*) -> #private::BoxFuture<'static, ()> #bounds {
            #(#copies)*
            ::std::boxed::Box::pin(async move {
                let _ = #own #method #turbofish(#(#handed),*).await;
            })
        }
    }
}

fn own(again: &Again) -> Option<TokenStream> {
    again
        .is_associated
        .then(|| quote_spanned!(again.at=> Self::))
}
