//! From arguments to what an entry is looked up by.

use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, RandomState};

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::__private::{KeyWriter, step};
use serde::Serialize;

use crate::source::SOURCE;

const START: &str = "cache:bench:shared";

/// An argument of several fields.
#[derive(Clone, Debug, Hash, Serialize)]
struct Query {
    owner: String,
    page: u32,
    archived: Option<bool>,
}

/// Measures each type of argument.
pub(crate) fn run(bench: &mut Bench) {
    check(bench, "u64", |n| n);
    check(bench, "str", |n| SOURCE.name(n));
    check(bench, "str-u32", |n| (SOURCE.name(n), 20_u32));
    check(bench, "option", |n| Some(n).filter(|n| n % 2 == 0));
    check(bench, "slice", |n| [n, n + 1, n + 2, n + 3]);
    let queries: &[Query] = (0..64)
        .map(|n| Query {
            owner: format!("team-{n}"),
            page: n,
            archived: Some(false),
        })
        .collect::<Vec<_>>()
        .leak();
    check(bench, "struct", |n| &queries[n as usize % 64]);
}

fn check<T>(
    bench: &mut Bench,
    name: &str,
    argument: impl Fn(u64) -> T + Copy + Send + Sync + 'static,
) where
    T: Serialize + Hash + Debug + Send + 'static,
{
    let path = format!("key/{name}");
    bench.path(&Path::new(&path), async || {
        let sip: &RandomState = Box::leak(Box::new(RandomState::new()));
        let ahash: &ahash::RandomState = Box::leak(Box::new(ahash::RandomState::new()));
        let example = argument(123_456);
        Field {
            note: step::call_text(START, key(&example)).expect("it can be part of a key"),
            contenders: vec![
                Contender::sync("format!", move |n| format!("{START}:{:?}", argument(n))),
                Contender::sync("text", move |n| {
                    let value = argument(n);
                    step::call_text(START, key(&value))
                })
                .against("format!"),
                Contender::sync("std Hash, SipHash-1-3, 64 bits", move |n| {
                    sip.hash_one(argument(n))
                }),
                Contender::sync("std Hash, aHash, 64 bits", move |n| {
                    ahash.hash_one(argument(n))
                })
                .against("std Hash, SipHash-1-3, 64 bits"),
                Contender::sync("hash, SipHash-1-3, 128 bits", move |n| {
                    let value = argument(n);
                    step::call_hash([n, 1], key(&value))
                })
                .against("std Hash, SipHash-1-3, 64 bits"),
            ],
        }
    });
}

/// What an expansion does with one argument.
fn key<T: Serialize>(value: &T) -> impl Fn(&mut KeyWriter) {
    move |writer| {
        writer.arg(value);
    }
}
