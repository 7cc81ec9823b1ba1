//! The proxy does to connections what it says.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cacheable_tests::{Of, Proxy, RedisServer, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for what is let through to arrive.
const A_WHILE: Duration = Duration::from_millis(100);

/// A client that sees every byte.
struct Client(TcpStream);

impl Client {
    fn of(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(address(proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// One whose connection gets pushes.
    fn tracking(proxy: &Proxy) -> Self {
        let mut client = Self::of(proxy);
        client.send("HELLO 3");
        client.until("modules");
        client.send("CLIENT TRACKING ON");
        client.expect("+OK\r\n");
        client
    }

    fn send(&mut self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        self.0.write_all(request.as_bytes()).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, reply: &str) {
        let mut bytes = vec![0; reply.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), reply);
    }

    /// Reads up to the last field of a long reply.
    fn until(&mut self, last: &str) {
        let mut read = String::new();
        while !(read.contains(last) && read.ends_with("*0\r\n")) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            read.push(byte[0].into());
        }
    }

    /// Nothing comes, for a while.
    #[track_caller]
    fn silent(&mut self) {
        self.0.set_read_timeout(Some(A_WHILE)).unwrap();
        let outcome = self.0.read(&mut [0]).map_err(|error| error.kind());
        // What it is called depends on the system.
        let waited = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        assert!(
            waited.iter().any(|kind| outcome == Err(*kind)),
            "{outcome:?}"
        );
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    #[track_caller]
    fn is_reset(&mut self) {
        let outcome = self.0.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
    }
}

fn address(proxy: &Proxy) -> String {
    let url = proxy.url();
    let address = url.strip_prefix("redis://").unwrap();
    address.strip_suffix("/0").unwrap().to_owned()
}

const PUSH: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

fn server_and_proxy() -> (RedisServer, Proxy) {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    (server, proxy)
}

#[test]
fn it_forwards_and_counts() {
    let (_server, proxy) = server_and_proxy();
    let mut client = Client::of(&proxy);
    for _ in 0..3 {
        client.send("PING");
        client.expect("+PONG\r\n");
    }
    client.send("client setname a");
    client.expect("+OK\r\n");
    Client::of(&proxy).send("PING");
    wait_until("all is seen", PATIENCE, || proxy.seen().total() == 5);
    let seen = proxy.seen();
    assert_eq!(seen.command("PING"), 4);
    assert_eq!(seen.command("CLIENT SETNAME"), 1);
    assert_eq!(seen.connections, 2);
    assert_eq!((seen.bytes_sent, seen.invalidations), (4 * 14 + 36, 0));
}

#[test]
fn what_leaves_before_an_answer_is_one_round_trip() {
    let (_server, proxy) = server_and_proxy();
    let (mut client, mut other) = (Client::of(&proxy), Client::of(&proxy));
    proxy.hold_replies(Of::All);
    for _ in 0..3 {
        client.send("PING");
    }
    other.send("PING");
    wait_until("all is seen", PATIENCE, || proxy.seen().total() == 4);
    assert_eq!(proxy.seen().round_trips, 2);
    proxy.release();
    client.expect("+PONG\r\n+PONG\r\n+PONG\r\n");
    client.send("PING");
    client.expect("+PONG\r\n");
    assert_eq!(proxy.seen().round_trips, 3);
}

#[test]
fn a_cut_resets_those_that_are_meant_and_a_refused_port_is_closed() {
    let (_server, proxy) = server_and_proxy();
    let (mut tracked, mut plain) = (Client::tracking(&proxy), Client::of(&proxy));
    plain.send("PING");
    plain.expect("+PONG\r\n");
    proxy.cut(Of::Tracked);
    tracked.is_reset();
    plain.send("PING");
    plain.expect("+PONG\r\n");
    proxy.refuse();
    plain.is_reset();
    let refused = TcpStream::connect(address(&proxy)).map_err(|error| error.kind());
    assert!(
        matches!(refused, Err(ErrorKind::ConnectionRefused)),
        "{refused:?}"
    );
    proxy.forward();
    let mut again = Client::of(&proxy);
    again.send("PING");
    again.expect("+PONG\r\n");
}

#[test]
fn a_black_hole_swallows_and_its_connections_are_not_used_again() {
    let (server, proxy) = server_and_proxy();
    let (mut old, mut untouched) = (Client::of(&proxy), Client::of(&proxy));
    proxy.black_hole(Of::All);
    let mut new = Client::of(&proxy);
    for client in [&mut old, &mut new] {
        client.send("SET k 1");
        client.silent();
    }
    wait_until("it is counted", PATIENCE, || {
        proxy.seen().command("SET") == 2
    });
    proxy.forward();
    old.is_reset();
    new.is_reset();
    untouched.send("GET k");
    untouched.expect("$-1\r\n");
    assert_eq!(server.command::<Option<String>>(&["GET", "k"]), None);
}

#[test]
fn replies_come_later_by_the_delay() {
    let (_server, proxy) = server_and_proxy();
    let mut client = Client::of(&proxy);
    let delay = Duration::from_millis(200);
    proxy.delay(Of::All, delay);
    let start = Instant::now();
    client.send("PING");
    client.send("PING");
    client.expect("+PONG\r\n+PONG\r\n");
    let took = start.elapsed();
    assert!(delay <= took, "{took:?}");
    proxy.forward();
    client.send("PING");
    client.expect("+PONG\r\n");
}

#[test]
fn pushes_are_held_or_dropped_and_replies_pass() {
    let (server, proxy) = server_and_proxy();
    let mut client = Client::tracking(&proxy);
    let change = |client: &mut Client| {
        client.send("EXISTS k");
        client.expect(":0\r\n");
        server.command::<()>(&["SET", "k", "1"]);
        server.command::<()>(&["DEL", "k"]);
    };
    change(&mut client);
    client.expect(PUSH);
    proxy.hold_pushes();
    change(&mut client);
    client.send("PING");
    client.expect("+PONG\r\n");
    client.silent();
    proxy.release_pushes();
    client.expect(PUSH);
    proxy.drop_pushes();
    change(&mut client);
    client.send("PING");
    client.expect("+PONG\r\n");
    wait_until("it came", PATIENCE, || proxy.seen().invalidations == 3);
    proxy.release_pushes();
    client.silent();
}

#[test]
fn replies_or_requests_are_held_and_pushes_pass() {
    let (server, proxy) = server_and_proxy();
    let (mut tracked, mut plain) = (Client::tracking(&proxy), Client::of(&proxy));
    tracked.send("GET k");
    tracked.expect("_\r\n");
    proxy.hold_replies(Of::Tracked);
    tracked.send("PING");
    tracked.silent();
    plain.send("SET k 1");
    plain.expect("+OK\r\n");
    tracked.expect(PUSH);
    proxy.hold_requests(Of::Untracked);
    plain.send("SET k 2");
    plain.silent();
    assert_eq!(server.command::<String>(&["GET", "k"]), "1");
    proxy.release();
    tracked.expect("+PONG\r\n");
    plain.expect("+OK\r\n");
}

#[test]
fn it_closes_everything_when_it_is_dropped() {
    let (_server, proxy) = server_and_proxy();
    let mut client = Client::of(&proxy);
    client.send("PING");
    client.expect("+PONG\r\n");
    let address = address(&proxy);
    drop(proxy);
    let ended = client.0.read(&mut [0]);
    assert!(ended.as_ref().map_or(true, |read| *read == 0), "{ended:?}");
    TcpStream::connect(address).unwrap_err();
}
