//! How large the future of a call is: a caller holds it, and copies it when it
//! is moved to a task.

use benches::{Bench, Table, ratio};
use cacheable_runtime::Runtime;
use serde_json::json;

use crate::service::{Service, plain_by_name, plain_owned, plain_shared, plain_slow};

const NAME: &str = "future";

/// Tells the sizes, if they were asked for.
pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants(NAME) {
        return;
    }
    let service = Service::on(Runtime::embedded());
    let sizes = [
        (
            "Arc, u64",
            size_of_val(&plain_shared(1)),
            size_of_val(&service.shared(1)),
        ),
        (
            "Arc, &str",
            size_of_val(&plain_by_name("a")),
            size_of_val(&service.shared_by_name("a")),
        ),
        (
            "owned, u64",
            size_of_val(&plain_owned(1)),
            size_of_val(&service.owned(1)),
        ),
        (
            "Arc, u64, a body that waits",
            size_of_val(&plain_slow(1)),
            size_of_val(&service.slow(1)),
        ),
    ];
    let mut table = Table::new(&["", "plain", "#[cacheable]", "of plain"]);
    let mut figures = Vec::new();
    for (name, plain, cached) in sizes {
        table.row(vec![
            name.to_owned(),
            format!("{plain} B"),
            format!("{cached} B"),
            ratio(cached as f64 / plain as f64),
        ]);
        figures.push(json!({ "name": name, "plain_bytes": plain, "cached_bytes": cached }));
    }
    let note = "bytes of the future that a call returns";
    bench.report(NAME, note, &table, json!({ "contenders": figures }));
}
