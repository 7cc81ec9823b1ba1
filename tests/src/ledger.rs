//! When each version of each value was invalidated, known to all processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tempfile::NamedTempFile;

/// The time on a clock that all processes of this machine share and nobody sets.
pub fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).expect("it begins when the machine starts");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("they are less than a second");
    Duration::new(seconds, nanoseconds)
}

/// A file in which each version of each value has a place for the
/// [`monotonic`] time at which its invalidation had returned. A place is
/// written once, by the process that made the version, so nobody has to lock;
/// the file is in memory and has no bytes where nothing was written.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    /// Removes it at the end; the processes that only opened it have none.
    owner: Option<NamedTempFile>,
}

/// The most versions that a value can have.
const VERSIONS: u64 = 1 << 20;

/// A time, and its complement: a place that is half written is not taken for a time.
const PLACE: usize = 16;

impl Ledger {
    /// A new one, and where it is.
    pub fn create() -> io::Result<Self> {
        let owner = NamedTempFile::new()?;
        Ok(Self {
            file: owner.reopen()?,
            owner: Some(owner),
        })
    }

    /// Where the other processes find it.
    pub fn path(&self) -> Option<&Path> {
        Some(self.owner.as_ref()?.path())
    }

    /// The one that another process has created.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file, owner: None })
    }

    /// Notes that the invalidation for this version has returned now.
    pub fn invalidated(&self, id: u64, version: u64) -> io::Result<()> {
        let time = u64::try_from(monotonic().as_nanos()).expect("machines run for years");
        let mut place = [0; PLACE];
        place[..8].copy_from_slice(&time.to_le_bytes());
        place[8..].copy_from_slice(&(!time).to_le_bytes());
        self.file.write_all_at(&place, offset(id, version))
    }

    /// When the invalidation for this version had returned, if it has.
    pub fn time(&self, id: u64, version: u64) -> io::Result<Option<Duration>> {
        let mut place = [0; PLACE];
        // Beyond the end of the file nothing is read.
        self.file.read_at(&mut place, offset(id, version))?;
        let [time, complement] = [0, 8].map(|start| {
            let bytes = place[start..start + 8].try_into();
            u64::from_le_bytes(bytes.expect("these are eight"))
        });
        Ok((time == !complement).then(|| Duration::from_nanos(time)))
    }
}

fn offset(id: u64, version: u64) -> u64 {
    assert!(version < VERSIONS, "there is no room for version {version}");
    (id * VERSIONS + version) * PLACE as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_notes_another_one_reads() {
        let ledger = Ledger::create().unwrap();
        let other = Ledger::open(ledger.path().unwrap()).unwrap();
        assert_eq!(other.time(3, 7).unwrap(), None);
        let before = monotonic();
        ledger.invalidated(3, 7).unwrap();
        let noted = other.time(3, 7).unwrap().unwrap();
        assert!(before <= noted && noted <= monotonic(), "{noted:?}");
        assert_eq!(other.time(3, 6).unwrap(), None);
        assert_eq!(other.time(3, 8).unwrap(), None);
    }
}
