//! What was logged, and what a test has to say.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing_subscriber::filter::LevelFilter;

/// Everything that one thread logged, at every level.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static CURRENT: RefCell<Option<Log>> = const { RefCell::new(None) };
}

impl Log {
    /// Takes down what this thread logs until the guard is dropped; a test on
    /// a runtime of one thread sees all of its tasks.
    pub fn of_this_thread() -> (Self, Taking) {
        // One subscriber for the whole process: whether a message is wanted at
        // all is decided once, by whichever thread comes to it first.
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(|| CURRENT.with_borrow(Clone::clone).unwrap_or_default())
                .init();
        });
        let log = Self::default();
        CURRENT.set(Some(log.clone()));
        (log, Taking(()))
    }

    /// All of it so far.
    pub fn text(&self) -> String {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// See [`Log::of_this_thread`].
#[derive(Debug)]
#[must_use = "nothing is taken down once this is dropped"]
pub struct Taking(());

impl Drop for Taking {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// Prints a line of figures.
///
/// What is printed by `println!` is only seen when a test fails; figures are
/// for those that pass, too.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").expect("the output of a test can be written to");
}
