//! From a value to its bytes and back.

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::__private::step;
use cacheable_runtime::{CodecChoice, CodecId};

use crate::source::{ENTRIES, Project, SOURCE};

const KEY: &str = "cache:bench:shared:123456";

/// Measures both formats, each against its own crate, and the envelope.
pub(crate) fn run(bench: &mut Bench) {
    check(
        bench,
        "bincode",
        CodecChoice::Bincode,
        |project| {
            let bytes = bincode::serde::encode_to_vec(project, bincode::config::standard());
            bytes.expect("a project can be written")
        },
        |bytes| {
            let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
            read.expect("it is a project").0
        },
    );
    check(
        bench,
        "rmp-serde",
        CodecChoice::MsgPack,
        |project| rmp_serde::to_vec_named(project).expect("a project can be written"),
        |bytes| rmp_serde::from_slice(bytes).expect("it is a project"),
    );
}

/// One format; `encode` and `decode` are what its crate does by itself.
fn check(
    bench: &mut Bench,
    name: &str,
    choice: CodecChoice,
    encode: fn(&Project) -> Vec<u8>,
    decode: fn(&[u8]) -> Project,
) {
    let path = format!("codec/{name}");
    bench.path(&Path::new(&path), async || {
        let bare: &[Vec<u8>] = all(encode);
        let ours: &[(CodecId, Vec<u8>)] =
            all(|project| step::encode(choice, project).expect("a project can be written"));
        let sealed: &[Vec<u8>] = all_of(ours, |(codec, payload)| {
            step::seal(KEY, *codec, payload).expect("a payload can be sealed")
        });
        let index = |n: u64| (n % ENTRIES) as usize;
        let crates_encode = format!("{name} encode");
        let crates_decode = format!("{name} decode");
        Field {
            note: format!(
                "projects of 20 fields: {} bytes bare, {} as ours, {} with the envelope",
                bare[0].len(),
                ours[0].1.len(),
                sealed[0].len()
            ),
            contenders: vec![
                Contender::sync(&crates_encode, move |n| encode(SOURCE.project(n))),
                Contender::sync("encode", move |n| {
                    step::encode(choice, &**SOURCE.project(n))
                })
                .against(&crates_encode),
                Contender::sync("seal", move |n| {
                    let (codec, payload) = &ours[index(n)];
                    step::seal(KEY, *codec, payload)
                }),
                Contender::sync("open", move |n| step::open(KEY, &sealed[index(n)])),
                Contender::sync(&crates_decode, move |n| decode(&bare[index(n)])),
                Contender::sync("decode", move |n| {
                    let (codec, payload) = &ours[index(n)];
                    step::decode::<Project>(*codec, payload)
                })
                .against(&crates_decode),
            ],
        }
    });
}

fn all<T>(make: impl Fn(&Project) -> T) -> &'static [T] {
    let ids = 0..ENTRIES;
    ids.map(|id| make(SOURCE.project(id)))
        .collect::<Vec<T>>()
        .leak()
}

fn all_of<A, B>(of: &[A], make: impl Fn(&A) -> B) -> &'static [B] {
    of.iter().map(make).collect::<Vec<B>>().leak()
}
