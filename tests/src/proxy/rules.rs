//! What a proxy does with what it carries, and what it has seen.

use std::collections::BTreeMap;
use std::time::Duration;

/// Which connections are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Every one.
    All,
    /// Those that asked for `CLIENT TRACKING ON`, which get pushes.
    Tracked,
    /// The others.
    Untracked,
}

impl Of {
    pub(super) fn covers(self, tracked: bool) -> bool {
        match self {
            Self::All => true,
            Self::Tracked => tracked,
            Self::Untracked => !tracked,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) refuses: bool,
    pub(super) stopped: bool,
    pub(super) pushes: Pushes,
    untracked: Lane,
    tracked: Lane,
}

/// What holds for one class of connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    pub(super) swallows: bool,
    pub(super) holds_requests: bool,
    /// The last of the connections whose requests are held, by number.
    pub(super) stranded: u64,
    pub(super) held_replies: Held,
    pub(super) delay: Duration,
    /// Raised by every cut: a connection lives while it is what it was.
    pub(super) era: u64,
}

/// Which replies wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    #[default]
    None,
    /// From the first that is a text on.
    Texts,
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pushes {
    #[default]
    Pass,
    Hold,
    Drop,
}

impl Lane {
    pub(super) fn holds_requests_of(&self, number: u64) -> bool {
        self.holds_requests || number <= self.stranded
    }
}

impl Rules {
    pub(super) fn lane(&self, tracked: bool) -> &Lane {
        if tracked {
            &self.tracked
        } else {
            &self.untracked
        }
    }

    pub(super) fn each(&mut self, of: Of, change: impl Fn(&mut Lane)) {
        for (tracked, lane) in [(false, &mut self.untracked), (true, &mut self.tracked)] {
            if of.covers(tracked) {
                change(lane);
            }
        }
    }

    /// As at first, with connections that were cut still cut.
    pub(super) fn forward(&mut self) {
        self.refuses = false;
        self.pushes = Pushes::Pass;
        self.each(Of::All, |lane| {
            *lane = Lane {
                era: lane.era,
                ..Lane::default()
            };
        });
    }
}

/// What a proxy has seen since it was started.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What clients sent, by name; `CLIENT`, `SCRIPT` and `CONFIG` with their
    /// second word. It counts whether or not it was let through.
    pub commands: BTreeMap<String, u64>,
    /// Keys whose values clients asked for, by `GET` or with others by `MGET`.
    pub keys_asked: u64,
    /// Replies of the server, also those that were held.
    pub replies: u64,
    /// From the clients.
    pub bytes_sent: u64,
    /// From the server.
    pub bytes_received: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// How often a client that had been answered asked on. What leaves together is
    /// one; of several connections each has its own.
    pub round_trips: u64,
    /// Pushes of the kind `invalidate` that the server sent.
    pub invalidations: u64,
}

impl Seen {
    /// How often a command was sent.
    pub fn command(&self, name: &str) -> u64 {
        self.commands.get(name).copied().unwrap_or(0)
    }

    /// Commands of any name.
    pub fn total(&self) -> u64 {
        self.commands.values().sum()
    }

    pub(super) fn count(&mut self, words: &[String]) {
        let name = match words {
            [name, second, ..] if ["CLIENT", "SCRIPT", "CONFIG"].contains(&name.as_str()) => {
                format!("{name} {second}")
            }
            [name, ..] => name.clone(),
            [] => return,
        };
        *self.commands.entry(name).or_default() += 1;
    }
}
