//! The scripts, and how their arguments and answers are written.

use std::time::Duration;

use once_cell::sync::Lazy;

use super::super::{Expect, LEASE, Numbers, SERIAL, TAG_LIFE, marker_ends};
use crate::conn::{Digits, Lua};
use crate::error::{Error, ErrorKind};

pub(super) struct Scripts {
    pub(super) acquire: Lua,
    pub(super) fill: Lua,
    pub(super) renew: Lua,
    pub(super) abandon: Lua,
    pub(super) claim: Lua,
    pub(super) counter: Lua,
    pub(super) markers: Lua,
    pub(super) remove_tags: Lua,
    pub(super) unlink_older: Lua,
}

pub(super) static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    acquire: Lua::new(include_str!("lua/acquire.lua")),
    fill: Lua::new(include_str!("lua/fill.lua")),
    renew: Lua::new(include_str!("lua/renew.lua")),
    abandon: Lua::new(include_str!("lua/abandon.lua")),
    claim: Lua::new(include_str!("lua/claim.lua")),
    counter: Lua::new(include_str!("lua/counter.lua")),
    markers: Lua::new(include_str!("lua/markers.lua")),
    remove_tags: Lua::new(include_str!("lua/remove_tags.lua")),
    unlink_older: Lua::new(include_str!("lua/unlink_older.lua")),
});

/// What a new connection makes known to the server.
pub(crate) static PRELOADED: Lazy<[&'static Lua; 8]> = Lazy::new(|| {
    let scripts = &*SCRIPTS;
    [
        &scripts.acquire,
        &scripts.fill,
        &scripts.renew,
        &scripts.abandon,
        &scripts.claim,
        &scripts.markers,
        &scripts.remove_tags,
        &scripts.unlink_older,
    ]
});

/// The script that a new connection begins with.
pub(crate) fn counter_script() -> &'static Lua {
    &SCRIPTS.counter
}

/// Where the counter of a namespace is, in one slot with its markers.
pub(crate) fn counter_key(namespace: &str) -> String {
    format!("{namespace}tag:{{{namespace}tag}}:counter")
}

/// A life as `PX` takes it: whole milliseconds, at least one.
pub(super) fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Which bytes to look at, as `GETRANGE` counts, and what they have to be.
pub(super) struct Range<'a> {
    pub(super) from: Digits,
    pub(super) to: Digits,
    wanted: Wanted<'a>,
}

enum Wanted<'a> {
    Bytes(&'a [u8]),
    Serial([u8; 8]),
}

impl Range<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.wanted {
            Wanted::Bytes(bytes) => bytes,
            Wanted::Serial(bytes) => bytes,
        }
    }
}

impl<'a> From<Expect<'a>> for Range<'a> {
    fn from(expected: Expect<'a>) -> Self {
        let (from, to, wanted) = match expected {
            Expect::Lease(lease) => (0, LEASE, Wanted::Bytes(lease)),
            Expect::Serial(serial) => {
                let bytes = serial.to_le_bytes();
                (SERIAL.start, SERIAL.end, Wanted::Serial(bytes))
            }
            Expect::Bytes(bytes) => (0, bytes.len().max(1), Wanted::Bytes(bytes)),
        };
        Self {
            from: (from as u64).into(),
            to: (to as u64 - 1).into(),
            wanted,
        }
    }
}

/// The lives of markers, as the scripts take them.
pub(super) fn marker_lives(markers: &[&str]) -> Vec<String> {
    let life = |marker: &&str| {
        if marker_ends(marker) {
            millis(TAG_LIFE).to_string()
        } else {
            "0".to_owned()
        }
    };
    markers.iter().map(life).collect()
}

pub(super) fn number(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::Server,
            "a marker of a tag holds what is not a number: another program has written it",
        )
    })
}

pub(super) fn numbers(answer: &[String]) -> Result<Numbers, Error> {
    let mut answer = answer.iter().map(|text| number(text));
    let counter = answer.next().unwrap_or(Ok(0))?;
    Ok(Numbers {
        counter,
        markers: answer.collect::<Result<_, _>>()?,
    })
}
