//! A server that answers and takes no writes.

use std::time::Duration;

use cacheable_runtime::Runtime;
use cacheable_tests::RedisServer;

use crate::service::PATIENCE;

/// Several commands that leave together say why they were refused as one does.
#[tokio::test]
async fn one_entry_and_many_are_refused_in_the_same_words() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    let runtime = builder.require_connection().build().await.unwrap();
    let cache = runtime.cache();
    let life = Duration::from_secs(60);
    for (setting, value, code) in [
        ("maxmemory", "1", "OOM"),
        ("min-replicas-to-write", "1", "NOREPLICAS"),
    ] {
        server.command::<()>(&["CONFIG", "SET", setting, value]);
        let one = cache.set("a", &1, life).await.unwrap_err();
        let many = cache.set_many([("b", &1), ("c", &2)], life).await;
        let many = many.unwrap_err();
        assert!(one.to_string().contains(code), "{one}");
        assert_eq!(one.to_string(), many.to_string());
        assert_eq!(one.kind(), many.kind());
        server.command::<()>(&["CONFIG", "SET", setting, "0"]);
    }
}
