//! Measures several ways of doing the same thing, side by side.
//!
//! A [`Path`] is one such thing, a [`Contender`] one way of doing it. All
//! contenders of a path run in turns, round after round, so that whatever else
//! the machine does meets all of them. What counts is the median over the
//! rounds, and the ratio within a round to a *floor*: the least that one could
//! do instead. Nothing here judges a figure.
//!
//! [`Bench`] runs the paths that were asked for, prints a table for each and
//! writes everything that was measured as JSON. What is recorded of it in `docs` is
//! drawn by [`redraw`].

mod args;
mod bounds;
mod budgets;
mod contender;
mod machine;
mod measure;
mod page;
mod path;
mod plot;
mod record;
mod stats;
mod table;

pub use args::Args;
pub use bounds::{Bounds, Cost, TOLERANCE};
pub use contender::Contender;
pub use machine::Machine;
pub use measure::{cpu_time, in_turns};
pub use path::{Bench, Field, Path, Served};
pub use plot::{Plot, Unit};
pub use record::{keep, redraw};
pub use stats::{median, percentile};
pub use table::{Table, nanos, number, ratio};
