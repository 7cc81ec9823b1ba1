//! On a server: a script for each step, all of whose keys are in one slot.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::Lazy;
use redis::cmd;

use super::super::Server;
use super::memory::fresh_mark;
use super::store::{Change, Changed, Keys, List, Made, Millis, New, Step, Stored};
use crate::conn::{Lane, Lua, Routes};
use crate::error::{Error, ErrorKind};
use answer::Answer;

/// The sessions on a server.
pub(super) struct There<'a> {
    routes: &'a Arc<Routes>,
}

struct Scripts {
    create: Lua,
    read: Lua,
    write: Lua,
    extend: Lua,
    delete: Lua,
    rotate: Lua,
    retire: Lua,
    list: Lua,
    revoke: Lua,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    create: Lua::new(include_str!("lua/create.lua")),
    read: Lua::new(include_str!("lua/read.lua")),
    write: Lua::new(include_str!("lua/write.lua")),
    extend: Lua::new(include_str!("lua/extend.lua")),
    delete: Lua::new(include_str!("lua/delete.lua")),
    rotate: Lua::new(include_str!("lua/rotate.lua")),
    retire: Lua::new(include_str!("lua/retire.lua")),
    list: Lua::new(include_str!("lua/list.lua")),
    revoke: Lua::new(include_str!("lua/revoke.lua")),
});

/// How many sessions one script looks at, so that none takes long.
const PAGE: usize = 200;

impl<'a> There<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self {
            routes: &server.routes,
        }
    }

    async fn run(&self, script: &Lua, keys: &[&str], arguments: &[&[u8]]) -> Result<Answer, Error> {
        let leg = self.routes.of(keys[0])?;
        let answer: Vec<u8> = leg.script(Lane::Removals, script, keys, arguments).await?;
        Ok(Answer::new(answer))
    }

    pub(super) async fn create(&self, keys: &Keys, new: &New<'_>) -> Result<Option<Made>, Error> {
        let mark = if new.user_id.is_empty() {
            String::new()
        } else {
            fresh_mark()
        };
        let lives = doubles([Some(new.idle), Some(new.absolute)]);
        let arguments = [
            keys.place.hash.as_bytes(),
            new.user_id.as_bytes(),
            mark.as_bytes(),
            lives.as_flattened(),
            new.data,
        ];
        let names = [&*keys.session, &keys.mark, &keys.index];
        self.run(&SCRIPTS.create, &names, &arguments).await?.made()
    }

    pub(super) async fn read(&self, keys: &Keys) -> Result<Step<Stored>, Error> {
        let names = [&*keys.session, &keys.mark];
        self.run(&SCRIPTS.read, &names, &[]).await?.stored()
    }

    pub(super) async fn change(
        &self,
        keys: &Keys,
        change: &Change<'_>,
    ) -> Result<Step<Changed>, Error> {
        let names = [&*keys.session, &keys.mark, &keys.index];
        let answer = match *change {
            Change::Write {
                data,
                version,
                idle,
                last,
            } => {
                let numbers = doubles([version, idle, Some(u64::from(last))]);
                let arguments = [data, numbers.as_flattened()];
                self.run(&SCRIPTS.write, &names[..2], &arguments).await?
            }
            Change::Extend(ttl) => {
                let ttl = doubles([ttl]);
                self.run(&SCRIPTS.extend, &names[..2], &[ttl.as_flattened()])
                    .await?
            }
            Change::Delete => {
                let hash = keys.place.hash.as_bytes();
                self.run(&SCRIPTS.delete, &names, &[hash]).await?
            }
        };
        answer.changed()
    }

    pub(super) async fn rotate(
        &self,
        old: &Keys,
        new: &Keys,
        grace: Millis,
    ) -> Result<Option<Step<Stored>>, Error> {
        let (place, grace) = (new.place.to_string(), grace.to_string());
        let arguments = [
            old.place.hash.as_bytes(),
            new.place.hash.as_bytes(),
            place.as_bytes(),
            grace.as_bytes(),
        ];
        let names = [&*old.session, &new.session, &old.mark, &old.index];
        let answer = self.run(&SCRIPTS.rotate, &names, &arguments).await?;
        if answer.is("taken") {
            return Ok(None);
        }
        answer.stored().map(Some)
    }

    pub(super) async fn retire(
        &self,
        keys: &Keys,
        version: u64,
        grace: Millis,
    ) -> Result<Step<()>, Error> {
        let numbers = doubles([Some(version), Some(grace)]);
        let arguments = [keys.place.hash.as_bytes(), numbers.as_flattened()];
        let names = [&*keys.session, &keys.mark, &keys.index];
        let answer = self.run(&SCRIPTS.retire, &names, &arguments).await?;
        answer.done()
    }

    pub(super) async fn revoke(&self, all: &Keys, keep: Option<&Keys>) -> Result<bool, Error> {
        let mark = fresh_mark();
        let mut names = vec![&*all.mark];
        names.extend(keep.map(|keep| &*keep.session));
        let kept: i64 = self
            .routes
            .of(&all.mark)?
            .script(Lane::Removals, &SCRIPTS.revoke, &names, &[mark.as_bytes()])
            .await?;
        Ok(kept == 1)
    }

    /// Removes what is left of dead sessions of an owner, of some of them.
    pub(super) async fn tidy(&self, keys: &Keys) -> Result<(), Error> {
        let mut some = cmd("ZRANDMEMBER");
        some.arg(&keys.index).arg(PAGE);
        let leg = self.routes.of(&keys.index)?;
        let hashes: Vec<String> = leg.query(Lane::Removals, &some).await?;
        if !hashes.is_empty() {
            self.page(keys, &hashes).await?;
        }
        Ok(())
    }

    pub(super) async fn list(&self, all: &Keys) -> Result<List, Error> {
        let mut list = List::default();
        loop {
            // Those that are dead leave the index, so the next page begins
            // behind those that live.
            let from = list.living.len();
            let mut range = cmd("ZRANGE");
            range.arg(&all.index).arg(from).arg(from + PAGE - 1);
            let leg = self.routes.of(&all.index)?;
            let hashes: Vec<String> = leg.query(Lane::Removals, &range).await?;
            if hashes.is_empty() {
                return Ok(list);
            }
            let page = self.page(all, &hashes).await?;
            list.now = page.now;
            list.removed += page.removed;
            list.living.extend(page.living);
            if hashes.len() < PAGE {
                return Ok(list);
            }
        }
    }

    /// Of these sessions of an owner, those that live; the others are removed.
    async fn page(&self, keys: &Keys, hashes: &[String]) -> Result<List, Error> {
        let sessions: Vec<String> = hashes.iter().map(|hash| keys.beside(hash)).collect();
        let mut names = vec![&*keys.index, &*keys.mark];
        names.extend(sessions.iter().map(String::as_str));
        let arguments: Vec<&[u8]> = hashes.iter().map(String::as_bytes).collect();
        let answer = self.run(&SCRIPTS.list, &names, &arguments).await?;
        answer.list(hashes)
    }
}

/// As scripts read numbers, and calculate with them; below 0: none.
fn doubles<const N: usize>(numbers: [Option<u64>; N]) -> [[u8; 8]; N] {
    numbers.map(|number| number.map_or(-1.0, |number| number as f64).to_le_bytes())
}

/// Holds a step that a call can do without to the time that there is for such.
pub(super) async fn soon<T>(
    budget: Duration,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(budget, step)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Holds a call of several steps to the time that one command has.
pub(super) async fn within<T>(
    server: &Server,
    patience: Duration,
    steps: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(patience, steps)
        .await
        .unwrap_or_else(|_| {
            server.routes.overdue();
            Err(late())
        })
}

fn late() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the server did not answer about a session in time",
    )
}
