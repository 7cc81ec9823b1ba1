//! The probe finds what it looks for, and finds nothing where nothing is.

use std::time::Duration;

use cacheable_runtime::{ProbeReport, Runtime};
use cacheable_tests::{Proxy, RedisServer};

async fn probe(url: String) -> ProbeReport {
    let builder = Runtime::builder().redis(url).require_connection();
    let runtime = builder.build().await.expect("the server is up");
    // On a machine that is busy with other tests.
    let probe = runtime.probe().duration(Duration::from_secs(1));
    let report = probe.run().await.expect("a second runtime can be built");
    println!("{report}");
    assert!(report.reads > 100 && report.writes > 10, "{report}");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_reads_nothing_that_it_has_removed() {
    let server = RedisServer::start();
    let report = probe(server.url()).await;
    assert_eq!((report.old_here, report.failures), (0, 0), "{report}");
    assert_eq!(report.old_after_1_s, 0, "{report}");
    let left: Vec<String> = server.command(&["KEYS", "cache:*"]);
    assert_eq!(left, [""; 0], "the entries of the probe are removed");
}

/// The control: where nobody is told of changes, the probe sees old values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pushes_it_sees_old_values_elsewhere() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    proxy.drop_pushes();
    let report = probe(proxy.url()).await;
    assert_eq!(report.old_here, 0, "{report}");
    assert!(report.old_after_100_ms > 0, "{report}");
}
