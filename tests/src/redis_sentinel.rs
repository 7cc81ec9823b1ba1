//! A service under sentinels, of the test's own.

use std::time::Duration;

use crate::redis_server::RedisServer;
use crate::wait::wait_until;

/// How long sentinels may take to find one another and to choose a primary. On
/// a machine that stood still for two seconds they do nothing for thirty.
const PATIENCE: Duration = Duration::from_secs(90);

/// A primary, its replicas, and the sentinels that watch over them and take a
/// server for dead that is silent for half a second.
#[derive(Debug)]
pub struct RedisSentinels {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// What the sentinels call the service.
    pub const SERVICE: &str = "shop.main";

    /// Starts them, and waits until all sentinels know all of it.
    pub fn start(replicas: usize, sentinels: usize) -> Self {
        // A replica has its copy at once.
        let delay = ["--repl-diskless-sync-delay", "0"];
        let primary = RedisServer::start_with(&delay);
        let port = primary.port().to_string();
        let mut servers = vec![primary];
        for _ in 0..replicas {
            let arguments = [&delay[..], &["--replicaof", "127.0.0.1", &port]].concat();
            servers.push(RedisServer::start_with(&arguments));
        }
        for replica in &servers[1..] {
            wait_until("a replica has its copy", PATIENCE, || {
                let info: String = replica.command(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            });
        }
        let service = Self::SERVICE;
        let quorum = sentinels / 2 + 1;
        let config = format!(
            "sentinel monitor {service} 127.0.0.1 {port} {quorum}\n\
             sentinel down-after-milliseconds {service} 500\n\
             sentinel failover-timeout {service} 3000\n"
        );
        let sentinels = (0..sentinels).map(|_| RedisServer::start_sentinel(config.clone()));
        let started = Self {
            servers,
            sentinels: sentinels.collect(),
        };
        started.agree(replicas);
        started
    }

    fn agree(&self, replicas: usize) {
        let others = (self.sentinels.len() - 1).to_string();
        let replicas = replicas.to_string();
        for sentinel in &self.sentinels {
            wait_until("a sentinel knows all others", PATIENCE, || {
                let about: Vec<String> = sentinel.command(&["SENTINEL", "MASTER", Self::SERVICE]);
                let is = |name: &str, expected: &str| {
                    let mut pairs = about.chunks_exact(2);
                    pairs.any(|pair| pair[0] == name && pair[1] == expected)
                };
                is("flags", "master") && is("num-other-sentinels", &others) && {
                    // They are asked how they are once each second.
                    let about: Vec<Vec<String>> =
                        sentinel.command(&["SENTINEL", "REPLICAS", Self::SERVICE]);
                    let up = |replica: &Vec<String>| {
                        let mut pairs = replica.chunks_exact(2);
                        pairs.any(|pair| pair == ["master-link-status", "ok"])
                    };
                    is("num-slaves", &replicas) && about.iter().all(up)
                }
            });
        }
    }

    /// The address, by all sentinels.
    pub fn url(&self) -> String {
        self.url_with("", "")
    }

    /// The address: `user` stands before the hosts, `more` behind the service.
    pub fn url_with(&self, user: &str, more: &str) -> String {
        let hosts = self.sentinels.iter();
        let hosts: Vec<String> = hosts
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port()))
            .collect();
        let (hosts, service) = (hosts.join(","), Self::SERVICE);
        format!("redis+sentinel://{user}{hosts}/{service}{more}")
    }

    /// The primary of the beginning, and its replicas.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// In the order of the address.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The number of the server that a sentinel names as the primary.
    pub fn primary(&self, sentinel: usize) -> usize {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::SERVICE];
        let (_, port): (String, u16) = self.sentinels[sentinel].command(&ask);
        let mut servers = self.servers.iter();
        let found = servers.position(|server| server.port() == port);
        found.expect("it is one of them")
    }

    /// Has the only sentinel forget the service.
    pub fn names_nobody(&self) {
        self.sentinels[0].command::<()>(&["SENTINEL", "REMOVE", Self::SERVICE]);
    }

    /// Has the only sentinel name a server as the primary, which the one of
    /// before is not told.
    pub fn names(&self, server: &RedisServer) {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::SERVICE];
        let named: Option<(String, u16)> = self.sentinels[0].command(&ask);
        if named.is_some() {
            self.names_nobody();
        }
        let port = server.port().to_string();
        let monitor = [
            "SENTINEL",
            "MONITOR",
            Self::SERVICE,
            "127.0.0.1",
            &port,
            "1",
        ];
        self.sentinels[0].command::<()>(&monitor);
    }

    /// Has a sentinel begin a failover, as soon as it finds a replica that is
    /// good enough.
    pub fn begin_failover(&self) {
        wait_until("a failover begins", PATIENCE, || {
            let mut failover = redis::cmd("SENTINEL");
            failover.arg("FAILOVER").arg(Self::SERVICE);
            failover.exec(&mut self.sentinels[0].connect()).is_ok()
        });
    }

    /// Waits until a sentinel names another primary than the one of the
    /// beginning, and returns its number.
    pub fn fails_over(&self, sentinel: usize) -> usize {
        wait_until("there is another primary", PATIENCE, || {
            self.primary(sentinel) != 0
        });
        self.primary(sentinel)
    }
}
