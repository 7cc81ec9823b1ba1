use cacheable_runtime::cacheable;

struct Database;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn double(database: &Database, number: u64) -> u64 {
    let _ = database;
    number * 2
}

fn main() {}
