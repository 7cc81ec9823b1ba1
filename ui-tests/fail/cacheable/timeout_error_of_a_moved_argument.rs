use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", load_timeout = 2, timeout_error = format!("{name} is late"))]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
