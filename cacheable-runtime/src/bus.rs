//! Changes that arrive from elsewhere: what a connection tells, and who
//! listens.

use std::time::{Duration, Instant};

/// Hears what happens to the keys that this process has read.
///
/// Everything here is called on the task that reads the connection, in the
/// order of the wire, so that what was told before an answer has been heard
/// before the answer is seen. Nothing here may wait or panic.
pub(crate) trait Listener: Send + Sync + 'static {
    /// A connection is there, before anybody can use it. `follows`: the server
    /// will tell of every change of a key that is read over it.
    fn connected(&self, follows: bool);

    /// The server answered a question that was sent at `asked`: until then, all
    /// changes have been told.
    fn heard(&self, asked: Instant);

    /// The key was changed, removed or evicted, or its life ended.
    fn changed(&self, key: &[u8]);

    /// All keys were removed at once, or the server has lost count.
    fn all_changed(&self);

    /// The greatest number that a removal of a tag has had so far.
    fn numbered(&self, number: u64);

    /// The server said that it is `millis` after the epoch, in answer to a
    /// question that was on its way for `round_trip`.
    fn told_time(&self, millis: u64, round_trip: Duration);

    /// The connection is gone or of no use: changes are not told any more.
    /// Comes before anybody can use another one.
    fn lost(&self);
}
