//! The programs whose builds are measured: services of five methods each.

use std::fmt::Write as _;

/// What the methods of a program are annotated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Cached,
    Cacheable,
}

impl Style {
    /// The first is what the others are measured against.
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Cached, Self::Cacheable];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain methods",
            Self::Cached => "cached, in memory",
            Self::Cacheable => "#[cacheable]",
        }
    }

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Cached => "memory",
            Self::Cacheable => "cacheable",
        }
    }

    /// In terms of the crate's manifest.
    pub(crate) fn dependency(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Cached => "cached = { version = \"4\", features = [\"async\"] }",
            Self::Cacheable => "cacheable-runtime = { path = \"REPOSITORY/cacheable-runtime\" }",
        }
    }
}

/// How large a program is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) methods: usize,
    /// Value types that the methods return, in turns.
    pub(crate) types: usize,
}

/// Methods of one service.
const SERVICE: usize = 5;

/// The text of `main.rs`. `edit` is written into one body, so that two texts
/// differ there as after a change by hand.
pub(crate) fn text(style: Style, size: Size, edit: usize) -> String {
    let mut text = String::new();
    write(&mut text, style, size, edit).expect("a string takes everything");
    text
}

fn write(out: &mut String, style: Style, size: Size, edit: usize) -> std::fmt::Result {
    out.push_str(HEAD);
    for number in 0..size.types {
        write!(out, "{}", TYPE.replace("NUMBER", &number.to_string()))?;
    }
    let services = size.methods.div_ceil(SERVICE);
    for service in 0..services {
        let methods = service * SERVICE..size.methods.min((service + 1) * SERVICE);
        writeln!(
            out,
            "\npub struct Service{service}(pub &'static str);\n\nimpl Service{service} {{"
        )?;
        for method in methods.clone() {
            let value = method % size.types;
            let change = if method == 0 { edit } else { 0 };
            match style {
                Style::Plain => {}
                Style::Cached => writeln!(
                    out,
                    "    #[cached::macros::concurrent_cached(in_impl = true, max_size = 1000, ttl_secs = 60, \
                     key = \"u64\", convert = r#\"{{ id }}\"#)]"
                )?,
                Style::Cacheable => writeln!(
                    out,
                    "    #[cacheable_runtime::cacheable(ttl = 60, key_prefix = \"service{service}\")]"
                )?,
            }
            writeln!(
                out,
                "    pub async fn get_{method}(&self, id: u64) -> Result<Value{value}, Missing> {{\n        \
                     pause().await;\n        \
                     if id == {change} {{\n            return Err(Missing);\n        }}\n        \
                     Ok(Value{value} {{ id, name: self.0.to_owned(), ..Value{value}::default() }})\n    }}\n"
            )?;
        }
        writeln!(out, "}}\n")?;
        writeln!(
            out,
            "fn calls_{service}<'a>(service: &'a Service{service}, calls: &mut Vec<Handler<'a>>) {{"
        )?;
        for method in methods {
            writeln!(
                out,
                "    calls.push(Box::pin(async move {{ drop(service.get_{method}(7).await) }}));"
            )?;
        }
        writeln!(out, "}}")?;
    }
    writeln!(
        out,
        "\n#[tokio::main(flavor = \"current_thread\")]\nasync fn main() {{"
    )?;
    for service in 0..services {
        writeln!(
            out,
            "    let service = Service{service}(\"a\");\n    let mut calls = Vec::new();\n    \
             calls_{service}(&service, &mut calls);\n    run(calls).await;"
        )?;
    }
    writeln!(out, "}}")
}

const HEAD: &str = r"#![allow(dead_code)]

use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// As a router keeps the futures of its handlers.
type Handler<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

#[derive(Clone, Debug)]
pub struct Missing;

async fn pause() {
    tokio::task::yield_now().await;
}

async fn run(calls: Vec<Handler<'_>>) {
    for call in calls {
        call.await;
    }
}
";

/// Six fields of the kinds that a row of a database has.
const TYPE: &str = r"
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ValueNUMBER {
    pub id: u64,
    pub name: String,
    pub note: Option<String>,
    pub tags: Vec<String>,
    pub size: u32,
    pub is_active: bool,
}
";
