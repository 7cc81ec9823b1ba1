//! A server that is far away.

use std::time::Duration;

use cacheable_runtime::Runtime;
use cacheable_tests::{Of, Proxy, RedisServer, eventually, say};

use crate::drill::{PATIENCE, alone};
use crate::standstill::Standstill;

/// An attempt to reconnect has a second: time for twelve answers.
const ROUND_TRIP: Duration = Duration::from_millis(80);

/// So long the machine itself may stand still in an attempt that counts.
const STANDSTILL: Duration = Duration::from_millis(200);

/// On one connection `HELLO`, `CLIENT TRACKING` with its name, and the counter with the
/// time; on the other `HELLO`, what server and which connection it is, and the scripts
/// with the end of those before.
const ROUND_TRIPS: u64 = 6;

/// The time, a ping, and what the server may not have told.
const OF_A_HEARTBEAT: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_link_is_made_again_in_the_first_attempt() {
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).require_connection();
    let runtime = builder.build().await.unwrap();
    proxy.delay(Of::All, ROUND_TRIP);
    // A machine that stands still every time says nothing.
    for _ in 0..5 {
        let standstill = Standstill::watch();
        let before = proxy.seen();
        proxy.cut(Of::All);
        eventually("the link is made again", PATIENCE, async || {
            // An attempt begins when the loss is known.
            proxy.seen().connections > before.connections && runtime.health().is_ok()
        })
        .await;
        let seen = proxy.seen();
        let connections = seen.connections - before.connections;
        let round_trips = seen.round_trips - before.round_trips;
        let stood = standstill.longest();
        say(&format!(
            "{ROUND_TRIP:?} away: {connections} connections and {round_trips} round trips on them \
             until the link was made again; the machine stood still for {stood:?}"
        ));
        if stood < STANDSTILL {
            assert_eq!(connections, 2, "of one attempt");
            let beats = seen.command("PING") - before.command("PING");
            let most = ROUND_TRIPS + beats * OF_A_HEARTBEAT;
            assert!(round_trips <= most, "{round_trips} of {most}");
            return;
        }
    }
}
