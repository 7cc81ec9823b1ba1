use cacheable_runtime::cacheable;

struct Numbers;

#[cacheable(ttl = 60, key_prefix = "number")]
impl Numbers {}

fn main() {}
