use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number")]
struct Number(u64);

fn main() {
    Number(1);
}
