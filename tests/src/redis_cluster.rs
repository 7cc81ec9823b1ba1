//! A cluster of the test's own.

use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::redis_server::{NODES, RedisServer};
use crate::wait::wait_until;

/// How long nodes may take to find one another, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Slots of a cluster.
const SLOTS: usize = 16_384;

/// Some [`RedisServer`]s that are one cluster. One that is away takes its keys
/// along, and the others go on.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    primaries: usize,
}

impl RedisCluster {
    /// Starts nodes that share the slots, and waits until all know it.
    pub fn start(primaries: usize) -> Self {
        Self::start_with(primaries, 0, 5_000)
    }

    /// Starts `primaries` nodes that share the slots, and `replicas` more, each
    /// for one of them; a node that is silent for `timeout` milliseconds is
    /// taken for dead.
    pub fn start_with(primaries: usize, replicas: usize, timeout: u32) -> Self {
        let timeout = timeout.to_string();
        let nodes: Vec<RedisServer> = (0..primaries + replicas)
            .map(|_| {
                RedisServer::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-config-file",
                    NODES,
                    "--cluster-node-timeout",
                    &timeout,
                    "--cluster-require-full-coverage",
                    "no",
                    // A replica has its copy at once.
                    "--repl-diskless-sync-delay",
                    "0",
                ])
            })
            .collect();
        let cluster = Self { nodes, primaries };
        cluster.join();
        cluster
    }

    /// The cluster of three primaries that all tests of this binary share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceCell<RedisCluster> = OnceCell::new();
        SHARED.get_or_init(|| Self::start(3))
    }

    fn join(&self) {
        let share = SLOTS.div_ceil(self.primaries);
        for (number, node) in self.nodes.iter().enumerate() {
            node.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
            if number > 0 {
                let port = self.nodes[0].port().to_string();
                node.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port]);
            }
            if number < self.primaries {
                let slots = number * share..SLOTS.min((number + 1) * share);
                let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
                // Servers before 7 know no ranges.
                let mut words = vec!["CLUSTER", "ADDSLOTS"];
                words.extend(slots.iter().map(String::as_str));
                node.command::<()>(&words);
            }
        }
        self.agree();
        for (number, replica) in self.nodes[self.primaries..].iter().enumerate() {
            let primary = self.id(number % self.primaries);
            replica.command::<()>(&["CLUSTER", "REPLICATE", &primary]);
        }
        for replica in &self.nodes[self.primaries..] {
            wait_until("a replica has its copy", PATIENCE, || {
                let info: String = replica.command(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            });
        }
        self.agree();
    }

    /// Waits until all nodes say the same, and that all slots are served.
    pub fn agree(&self) {
        wait_until("all nodes are one cluster", PATIENCE, || {
            let mut views = self.nodes.iter().map(Self::view);
            let first = views.next().expect("there is a node");
            first.len() == self.nodes.len() && views.all(|view| view == first)
        });
        wait_until("all slots are served", PATIENCE, || {
            self.nodes.iter().all(|node| {
                let info: String = node.command(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_slots_assigned:16384")
            })
        });
    }

    /// What a node knows of all: id, role and slots.
    fn view(node: &RedisServer) -> Vec<String> {
        let nodes: String = node.command(&["CLUSTER", "NODES"]);
        let mut view: Vec<String> = nodes
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                let flags = fields[2].replace("myself,", "");
                format!("{} {flags} {}", fields[0], fields[8..].join(" "))
            })
            .collect();
        view.sort();
        view
    }

    /// The address, by two of its nodes.
    pub fn url(&self) -> String {
        let seeds: Vec<String> = self
            .nodes
            .iter()
            .rev()
            .take(2)
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis+cluster://{}", seeds.join(","))
    }

    /// A name that no other test on this cluster uses.
    pub fn namespace(&self) -> String {
        self.nodes[0].namespace()
    }

    /// The primaries, then the replicas, as it was in the beginning.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// What the others call a node.
    pub fn id(&self, number: usize) -> String {
        self.nodes[number].command(&["CLUSTER", "MYID"])
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> usize {
        self.nodes[0].command(&["CLUSTER", "KEYSLOT", key])
    }

    /// The number of the primary that served a key in the beginning.
    pub fn owner(&self, key: &str) -> usize {
        self.slot(key) / SLOTS.div_ceil(self.primaries)
    }
}
