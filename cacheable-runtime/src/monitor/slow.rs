//! The slow log: each entry once, and nothing of what was in the commands.

use std::time::{Duration, SystemTime};

/// Commands that took a server long, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowLog {
    /// Those that no sample of this monitor had before, or, without a monitor,
    /// those that the server still knows; 64 at most.
    pub commands: Vec<SlowCommand>,
    /// How many came and went between two samples and are not among them.
    pub missed: u64,
}

/// A command that took a server long. What it was called with is left out: it
/// may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowCommand {
    /// The number that the server gave it. They begin anew when it starts.
    pub id: u64,
    /// When it ran, by the server's clock.
    pub at: SystemTime,
    /// How long it ran, without waiting for its turn.
    pub took: Duration,
    /// Its name, in upper case.
    pub name: String,
    /// How many arguments it had.
    pub arguments: u64,
}

/// What has been delivered of one server's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    run_id: Option<String>,
    last: Option<SlowCommand>,
}

impl Cursor {
    /// Of what the server knows now, what has not been delivered yet.
    ///
    /// Numbers of one life of a server grow by one, and go on after `SLOWLOG
    /// RESET`. They begin anew with the server, which its name tells; without
    /// it, that the last number is another command by now, or is not reached.
    pub(super) fn take(&mut self, run_id: Option<&str>, mut log: Vec<SlowCommand>) -> SlowLog {
        log.sort_by_key(|command| command.id);
        let last = self
            .last
            .take()
            .filter(|last| match (&self.run_id, run_id) {
                (Some(before), Some(after)) => before == after,
                // The server does not tell.
                _ => is_past(last, &log),
            });
        if let Some(run_id) = run_id {
            self.run_id = Some(run_id.to_owned());
        }
        let mut missed = 0;
        if let Some(last) = &last {
            log.retain(|command| command.id > last.id);
            if let Some(first) = log.first() {
                missed = first.id - last.id - 1;
            }
        }
        self.last = log.last().cloned().or(last);
        SlowLog {
            commands: log,
            missed,
        }
    }
}

/// Whether `last` is of the same life of the server as `log`.
fn is_past(last: &SlowCommand, log: &[SlowCommand]) -> bool {
    let Some(newest) = log.last() else {
        // It has been emptied.
        return true;
    };
    let other = |command: &&SlowCommand| {
        // Earlier ones are no younger. A clock that was set back is taken for
        // a new life: entries come twice then, rather than never.
        (command.id == last.id && *command != last)
            || (command.id < last.id && command.at > last.at)
    };
    newest.id >= last.id && !log.iter().any(|command| other(&command))
}

/// One entry as the server tells it.
impl SlowCommand {
    /// `words`: the command, of which servers cut off what is too much.
    pub(super) fn new<'a>(
        id: u64,
        seconds: u64,
        micros: u64,
        words: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut words = words.into_iter();
        let name = words.next().unwrap_or_default();
        let mut arguments = 0;
        for word in words {
            arguments += more(word).unwrap_or(1);
        }
        Self {
            id,
            at: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(seconds))
                .unwrap_or(SystemTime::UNIX_EPOCH),
            took: Duration::from_micros(micros),
            name: named(name),
            arguments,
        }
    }
}

/// What stands in the place of the arguments after the 31st.
fn more(word: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(word).ok()?;
    let number = text
        .strip_prefix("... (")?
        .strip_suffix(" more arguments)")?;
    number.parse().ok().filter(|number| *number <= 1 << 20)
}

/// The name, if it can be one.
fn named(name: &[u8]) -> String {
    let known = |c: &u8| c.is_ascii_alphanumeric() || b"._-|".contains(c);
    if name.is_empty() || name.len() > 64 || !name.iter().all(known) {
        return "UNKNOWN".to_owned();
    }
    String::from_utf8_lossy(name).to_ascii_uppercase()
}
