//! Clocks that are set, by `libfaketime`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::redis_server::{RedisServer, program};

/// Where packages of Linux put the library.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib/faketime",
    "/usr/lib64/faketime",
    "/usr/local/lib/faketime",
    "/usr/lib/x86_64-linux-musl/faketime",
];

/// A wall clock that can be set while a program runs. Its monotonic clock, by
/// which it waits, goes on as ever.
#[derive(Debug)]
pub struct FakeTime {
    library: PathBuf,
    directory: TempDir,
}

impl FakeTime {
    /// A clock that is right. `None`: the library is not there, which is said on
    /// standard error.
    pub fn new() -> Option<Self> {
        let libraries = FOLDERS.map(|folder| Path::new(folder).join("libfaketimeMT.so.1"));
        let Some(library) = libraries.into_iter().find(|library| library.is_file()) else {
            eprintln!("not applicable: install the package `libfaketime` to set clocks in tests");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let clock = Self { library, directory };
        clock.set(0);
        Some(clock)
    }

    /// Sets the clock to so many seconds ahead of the right time.
    pub fn set(&self, seconds: i64) {
        // In one step, so that nobody reads half of it.
        let new = self.directory.path().join("new");
        fs::write(&new, format!("{seconds:+}\n")).expect("it can be written");
        fs::rename(new, self.file()).expect("it can be put in place");
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    fn variables(&self) -> [(&'static str, String); 4] {
        [
            // Some servers take their memory from a library that asks for the
            // time while this one is about to begin: the C library comes first.
            (
                "LD_PRELOAD",
                format!("{}:libc.so.6", self.library.display()),
            ),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// A server that goes by this clock.
    pub fn server(&self) -> RedisServer {
        let script = self.directory.path().join("server");
        let variables = self.variables();
        let variables: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{name}='{value}'"))
            .collect();
        let text = format!(
            "#!/bin/sh\nexec env {} '{}' \"$@\"\n",
            variables.join(" "),
            program().display()
        );
        fs::write(&script, text).expect("it can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&script, executable).expect("it is ours");
        RedisServer::start_program(script, &[])
    }

    /// Lets a program go by this clock.
    pub fn for_program(&self, program: &mut Command) {
        program.envs(self.variables());
    }
}
