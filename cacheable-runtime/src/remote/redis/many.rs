//! Several keys at once. In a cluster they are on several nodes, and a node
//! takes keys of one slot in one command.

use std::time::Duration;

use redis::{FromRedisValue, cmd, pipe};

use super::super::Numbers;
use super::scripts::{SCRIPTS, marker_lives, number, numbers};
use super::{RedisStore, set_command};
use crate::conn::{Group, Lane};
use crate::error::Error;
use crate::sync::{BoxFuture, all};

impl RedisStore {
    pub(super) async fn read_several(
        &self,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (groups, failed) = self.routes.groups(keys);
        if let Some(error) = failed {
            return Err(error);
        }
        let each = groups.iter().map(|group| -> BoxFuture<'_, _> {
            Box::pin(per_slot(group, Lane::Reads, "MGET", keys))
        });
        let answers = all(each.collect()).await;
        let mut found = vec![None; keys.len()];
        for (group, answer) in groups.iter().zip(answers) {
            let answer: Vec<Vec<Option<Vec<u8>>>> = answer?;
            let values = answer.into_iter().flatten();
            for (number, value) in group.commands.iter().flatten().zip(values) {
                found[*number] = value;
            }
        }
        Ok(found)
    }

    pub(super) async fn set_several(
        &self,
        entries: Vec<(String, Vec<u8>, Duration)>,
    ) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = entries.iter().map(|(key, ..)| &**key).collect();
        let (groups, mut failed) = self.routes.groups(&keys);
        let each = groups.iter().map(|group| -> BoxFuture<'_, _> {
            let mut sets = pipe();
            for number in group.commands.iter().flatten() {
                let (key, value, life) = &entries[*number];
                sets.add_command(set_command(key, value, *life)).ignore();
            }
            Box::pin(async move { group.leg.pipeline::<()>(Lane::Removals, &sets).await })
        });
        for answer in all(each.collect()).await {
            failed = answer.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    pub(super) async fn remove_several(&self, keys: &[String]) -> Result<u64, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        let (groups, mut failed) = self.routes.groups(keys);
        let each = groups.iter().map(|group| -> BoxFuture<'_, _> {
            Box::pin(per_slot(group, Lane::Removals, "UNLINK", keys))
        });
        let mut removed = 0;
        for answer in all(each.collect()).await {
            let answer: Result<Vec<u64>, _> = answer;
            match answer {
                Ok(counts) => removed += counts.into_iter().sum::<u64>(),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(removed), Err)
    }

    pub(super) async fn numbers_of(&self, markers: &[&str]) -> Result<Numbers, Error> {
        let lives = marker_lives(markers);
        let lives: Vec<&[u8]> = lives.iter().map(String::as_bytes).collect();
        let keys: Vec<&str> = [&*self.counter]
            .into_iter()
            .chain(markers.iter().copied())
            .collect();
        let answer: Vec<String> = self
            .routes
            .of(&self.counter)?
            .script(Lane::Reads, &SCRIPTS.markers, &keys, &lives)
            .await?;
        numbers(&answer)
    }

    pub(super) async fn raise_all(&self, markers: &[&str], known: u64) -> Result<u64, Error> {
        let known = known.to_string();
        let lives = marker_lives(markers);
        let mut arguments = vec![known.as_bytes()];
        arguments.extend(lives.iter().map(String::as_bytes));
        let keys: Vec<&str> = [&*self.counter]
            .into_iter()
            .chain(markers.iter().copied())
            .collect();
        let raised: String = self
            .routes
            .of(&self.counter)?
            .script(Lane::Removals, &SCRIPTS.remove_tags, &keys, &arguments)
            .await?;
        number(&raised)
    }
}

/// One command over several keys; in a cluster one for each slot, in one
/// piece for each node.
async fn per_slot<T: FromRedisValue>(
    group: &Group,
    lane: Lane,
    name: &str,
    keys: &[String],
) -> Result<Vec<T>, Error> {
    let command = |numbers: &[usize]| {
        let mut command = cmd(name);
        for number in numbers {
            command.arg(&keys[*number]);
        }
        command
    };
    if let [numbers] = &group.commands[..] {
        return Ok(vec![group.leg.query(lane, &command(numbers)).await?]);
    }
    let mut commands = pipe();
    for numbers in &group.commands {
        commands.add_command(command(numbers));
    }
    group.leg.pipeline(lane, &commands).await
}
