use cacheable_runtime::cacheable;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Project {
    owner: String,
}

#[cacheable(ttl = 60, key_prefix = "a", tags = ["{id}:{value.owner}:x"])]
async fn project(id: u64, owner: String) -> Project {
    println!("{id}");
    Project { owner }
}

fn main() {}
