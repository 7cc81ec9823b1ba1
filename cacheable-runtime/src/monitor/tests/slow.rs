//! Each entry of a slow log once, over resets and restarts.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::monitor::slow::{Cursor, SlowCommand, SlowLog};

fn entry(id: u64, at: u64) -> SlowCommand {
    SlowCommand::new(id, at, 10 + id, [&b"get"[..], b"key"])
}

fn ids(log: &SlowLog) -> (Vec<u64>, u64) {
    (
        log.commands.iter().map(|command| command.id).collect(),
        log.missed,
    )
}

#[test]
fn an_entry_holds_a_name_and_a_count_and_nothing_else() {
    let words = [&b"AUTH"[..], b"user", b"hunter2"];
    let command = SlowCommand::new(1, 100, 25, words);
    assert_eq!((&*command.name, command.arguments), ("AUTH", 2));
    assert!(!format!("{command:?}").contains("hunter2"));
    // What is no name is not repeated.
    let command = SlowCommand::new(1, 100, 25, [&b"hunter2 and more"[..]]);
    assert_eq!((&*command.name, command.arguments), ("UNKNOWN", 0));
}

#[test]
fn arguments_that_the_server_has_cut_off_are_counted() {
    let mut words = vec![&b"mset"[..]; 31];
    words.push(b"... (50 more arguments)");
    assert_eq!(SlowCommand::new(1, 1, 1, words).arguments, 80);
    // An argument that looks so counts for one at least, and no more than a
    // server could mean.
    let lie = [&b"set"[..], b"... (99999999999 more arguments)"];
    assert_eq!(SlowCommand::new(1, 1, 1, lie).arguments, 1);
}

#[test]
fn each_is_delivered_once_and_what_came_and_went_is_counted() {
    let mut cursor = Cursor::default();
    let log = |ids: &[u64]| ids.iter().rev().map(|id| entry(*id, 100 + id)).collect();
    assert_eq!(ids(&cursor.take(Some("a"), log(&[3, 4]))), (vec![3, 4], 0));
    assert_eq!(ids(&cursor.take(Some("a"), log(&[3, 4]))), (vec![], 0));
    assert_eq!(
        ids(&cursor.take(Some("a"), log(&[4, 5, 6]))),
        (vec![5, 6], 0)
    );
    // SLOWLOG RESET: the log is empty, and numbers go on.
    assert_eq!(ids(&cursor.take(Some("a"), log(&[]))), (vec![], 0));
    assert_eq!(ids(&cursor.take(Some("a"), log(&[7]))), (vec![7], 0));
    assert_eq!(
        ids(&cursor.take(Some("a"), log(&[10, 11]))),
        (vec![10, 11], 2)
    );
    // Another life of the server, whose numbers begin anew and are beyond.
    assert_eq!(ids(&cursor.take(Some("b"), log(&[0, 1]))), (vec![0, 1], 0));
    assert_eq!(
        ids(&cursor.take(Some("c"), log(&[0, 1, 2]))),
        (vec![0, 1, 2], 0)
    );
}

/// A user who may not run `INFO` may run `SLOWLOG`.
#[test]
fn a_restart_is_told_by_the_entries_where_the_server_has_no_name() {
    let mut cursor = Cursor::default();
    let log = |ids: &[u64], at: u64| ids.iter().map(|id| entry(*id, at + id)).collect();
    assert_eq!(ids(&cursor.take(None, log(&[3, 4], 100))), (vec![3, 4], 0));
    assert_eq!(ids(&cursor.take(None, log(&[4, 5], 100))), (vec![5], 0));
    // Not reached.
    assert_eq!(ids(&cursor.take(None, log(&[0, 1], 200))), (vec![0, 1], 0));
    // Another command has the number.
    assert_eq!(
        ids(&cursor.take(None, log(&[0, 1, 2], 300))),
        (vec![0, 1, 2], 0)
    );
    // Numbers before it are of a later time.
    assert_eq!(ids(&cursor.take(None, log(&[1, 3], 400))), (vec![1, 3], 0));
}

/// What can happen to the log of a server.
#[derive(Clone, Debug)]
enum Event {
    Slow,
    Reset,
    Restart,
    Poll,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// M5: a server with a log of eight entries, of which a monitor sees the
    /// last four.
    #[test]
    fn every_entry_comes_once_or_is_counted_as_missed(
        events in prop::collection::vec(
            prop_oneof![
                4 => Just(Event::Slow),
                1 => Just(Event::Reset),
                1 => Just(Event::Restart),
                3 => Just(Event::Poll),
            ],
            1..60,
        ),
    ) {
        let mut cursor = Cursor::default();
        let mut log = VecDeque::new();
        let (mut life, mut next, mut time) = (0, 0, 100);
        let mut delivered: Vec<(u64, u64)> = Vec::new();
        // What was written in this life since the last poll.
        let mut unseen = 0;
        for event in events {
            time += 1;
            match event {
                Event::Slow => {
                    log.push_front(entry(next, time));
                    log.truncate(8);
                    next += 1;
                    unseen += 1;
                }
                Event::Reset => log.clear(),
                Event::Restart => {
                    log.clear();
                    (life, next, unseen) = (life + 1, 0, 0);
                }
                Event::Poll => {
                    let page = log.iter().take(4).cloned().collect();
                    let run_id = format!("life{life}");
                    let began = cursor_is_of(&delivered, life);
                    let news = cursor.take(Some(&run_id), page);
                    let came = news.commands.len() as u64;
                    if began && came > 0 {
                        prop_assert_eq!(came + news.missed, unseen);
                    }
                    if came > 0 {
                        unseen = 0;
                    }
                    for command in news.commands {
                        prop_assert!(!delivered.contains(&(life, command.id)));
                        delivered.push((life, command.id));
                    }
                }
            }
        }
    }
}

/// Whether something of this life has been delivered: before, nobody can tell
/// what there was.
fn cursor_is_of(delivered: &[(u64, u64)], life: u64) -> bool {
    delivered.last().is_some_and(|(last, _)| *last == life)
}
