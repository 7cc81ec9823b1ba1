use cacheable_runtime::cacheable;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Project {
    owner: String,
}

#[cacheable(ttl = 60, key_prefix = "a", tags = ["owner:{value.owner}"])]
async fn project(value: u64, owner: String) -> Project {
    println!("{value}");
    Project { owner }
}

fn main() {}
