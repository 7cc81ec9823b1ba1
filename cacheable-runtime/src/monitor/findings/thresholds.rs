//! From where on something is wrong.

/// From where on something is a [`Finding`](crate::Finding).
///
/// ```
/// use cacheable_runtime::{Runtime, Thresholds};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let strict = Thresholds::default().hit_rate(0.95).memory(0.7);
/// let stats = Runtime::embedded().stats().await?;
/// assert!(stats.findings_by(&strict).is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    pub(super) memory: f64,
    pub(super) fragmentation: f64,
    pub(super) hit_rate: f64,
    pub(super) least_reads: u64,
    pub(super) evictions: u64,
    pub(super) rejected_connections: u64,
    pub(super) clients: f64,
    pub(super) tracked_keys: f64,
    pub(super) scripts: u64,
    pub(super) errors: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            memory: 0.8,
            fragmentation: 1.5,
            hit_rate: 0.8,
            least_reads: 100,
            evictions: 0,
            rejected_connections: 0,
            clients: 0.8,
            tracked_keys: 0.8,
            scripts: 1_000,
            errors: 0,
        }
    }
}

impl Thresholds {
    /// What share of its limit a server's memory may take. A server without a
    /// limit has none to be near to. Default: 0.8.
    pub fn memory(mut self, share: f64) -> Self {
        self.memory = share;
        self
    }

    /// How much more memory than it uses a server may take. Under 100 MiB in
    /// use it says nothing. Default: 1.5.
    pub fn fragmentation(mut self, ratio: f64) -> Self {
        self.fragmentation = ratio;
        self
    }

    /// What share of the reads must be hits. Default: 0.8.
    pub fn hit_rate(mut self, share: f64) -> Self {
        self.hit_rate = share;
        self
    }

    /// Of how many reads a hit rate says something. Default: 100.
    pub fn least_reads(mut self, reads: u64) -> Self {
        self.least_reads = reads;
        self
    }

    /// How many keys may be evicted from one sample to the next. A cache that
    /// is meant to fill its memory evicts all the time. Default: 0.
    pub fn evictions(mut self, keys: u64) -> Self {
        self.evictions = keys;
        self
    }

    /// How many connections may be refused from one sample to the next.
    /// Default: 0.
    pub fn rejected_connections(mut self, connections: u64) -> Self {
        self.rejected_connections = connections;
        self
    }

    /// What share of the connections that a server takes may be there.
    /// Default: 0.8.
    pub fn clients(mut self, share: f64) -> Self {
        self.clients = share;
        self
    }

    /// What share of the keys that a server can tell of may be told of. From 0.9
    /// on level 1 is emptied every second. Default: 0.8.
    pub fn tracked_keys(mut self, share: f64) -> Self {
        self.tracked_keys = share;
        self
    }

    /// How many scripts may be cached. Default: 1 000.
    pub fn scripts(mut self, scripts: u64) -> Self {
        self.scripts = scripts;
        self
    }

    /// How often one of the telling errors may be answered from one sample to
    /// the next; see [`ErrorReplies`](crate::Finding::ErrorReplies). Default: 0.
    pub fn errors(mut self, replies: u64) -> Self {
        self.errors = replies;
        self
    }
}
