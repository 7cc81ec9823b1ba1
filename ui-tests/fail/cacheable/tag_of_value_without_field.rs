use cacheable_runtime::cacheable;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Project {
    owner: String,
}

#[cacheable(ttl = 60, key_prefix = "a", tags = ["owner:{value.ownr}"])]
async fn project(id: u64, owner: String) -> Project {
    println!("{id}");
    Project { owner }
}

fn main() {}
