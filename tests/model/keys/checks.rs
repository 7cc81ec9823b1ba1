//! The protocol as it is built, in runs of different shapes.

use super::sights::*;
use super::{Keys, Kind, Reads, Removes, Rules, Writes};
use crate::holds;

/// The process that removes, and another one.
pub(super) const HERE: usize = 0;
pub(super) const THERE: usize = 1;

pub(super) const fn reader(process: usize) -> Reads {
    Reads {
        process,
        key: 0,
        kind: Kind::Plain,
    }
}

pub(super) const fn remover(process: usize) -> Writes {
    Writes {
        process,
        removes: Removes::Key,
    }
}

pub(super) fn run(readers: &[Reads], writers: &[Writes]) -> Keys {
    Keys {
        readers: readers.to_vec(),
        writers: writers.to_vec(),
        stored: false,
        losses: 0,
        values_expire: false,
        failures: false,
        budgets: false,
        rules: Rules::BUILT,
        sights: Vec::new(),
    }
}

pub(super) fn refresher(process: usize) -> Reads {
    Reads {
        kind: Kind::Refresh,
        ..reader(process)
    }
}

pub(super) fn shield(process: usize) -> Reads {
    Reads {
        kind: Kind::Shield,
        ..reader(process)
    }
}

pub(super) fn at(key: usize, reads: Reads) -> Reads {
    Reads { key, ..reads }
}

pub(super) const SWEEP: Writes = Writes {
    process: HERE,
    removes: Removes::Pattern,
};

pub(super) const fn put(process: usize) -> Writes {
    Writes {
        process,
        removes: Removes::Put,
    }
}

#[test]
fn reads_in_the_process_that_removes() {
    let sights = vec![hit(), refused_fill(), overtaken_fill(), overtaken_look_up()];
    let more = [expired_lease(), shared_flight(), given_up()];
    let all = Keys {
        budgets: true,
        sights: sights.iter().cloned().chain(more).collect(),
        ..run(&[reader(HERE); 3], &[remover(HERE)])
    };
    holds("one process: 3 reads, 1 removal", all);
    let twice = Keys {
        values_expire: true,
        sights,
        ..run(&[reader(HERE); 2], &[remover(HERE); 2])
    };
    holds("one process: 2 reads, 2 removals", twice);
}

#[test]
fn reads_in_another_process() {
    let all = Keys {
        failures: true,
        budgets: true,
        values_expire: true,
        sights: vec![hit(), refused_fill(), overtaken_fill(), shared_flight()],
        ..run(&[reader(THERE); 3], &[remover(HERE)])
    };
    holds("elsewhere: 3 reads, 1 removal", all);
}

#[test]
fn reads_in_both_processes() {
    let sights = vec![refused_fill(), overtaken_fill(), overtaken_look_up()];
    let both = Keys {
        sights: sights.iter().cloned().chain([wait()]).collect(),
        ..run(
            &[reader(HERE), reader(THERE), reader(THERE)],
            &[remover(HERE)],
        )
    };
    holds("both: 3 reads, 1 removal", both);
    let each = Keys {
        sights,
        ..run(&[reader(HERE); 2], &[remover(HERE), remover(THERE)])
    };
    holds("one process: 2 reads, a removal in each", each);
}

#[test]
fn lost_links() {
    let own = Keys {
        losses: 1,
        failures: true,
        budgets: true,
        sights: vec![hit(), reconnected(), degraded(), owed(), given_up()],
        ..run(&[reader(HERE); 2], &[remover(HERE)])
    };
    holds("lost link: here", own);
    let either = Keys {
        losses: 1,
        sights: vec![reconnected(), owed()],
        ..run(&[reader(HERE), reader(THERE)], &[remover(HERE)])
    };
    holds("lost link: either", either);
    let elsewhere = Keys {
        losses: 2,
        budgets: true,
        values_expire: true,
        sights: vec![
            hit(),
            reconnected(),
            degraded(),
            given_up(),
            shared_flight(),
        ],
        ..run(&[reader(THERE); 3], &[remover(HERE)])
    };
    holds("lost links: elsewhere", elsewhere);
}

#[test]
fn sweeps() {
    let both = Keys {
        failures: true,
        values_expire: true,
        sights: vec![refused_fill(), missed_by_sweep()],
        ..run(&[reader(HERE), at(1, reader(THERE))], &[SWEEP])
    };
    holds("sweep: a key here, a key there", both);
    let here = Keys {
        failures: true,
        values_expire: true,
        sights: vec![refused_fill(), missed_by_sweep()],
        ..run(&[reader(HERE), at(1, reader(HERE))], &[SWEEP])
    };
    holds("sweep: two keys here", here);
    let again = Keys {
        failures: true,
        values_expire: true,
        sights: vec![hit(), refused_fill(), missed_by_sweep()],
        ..run(&[reader(HERE); 3], &[SWEEP])
    };
    holds("sweep: one key three times", again);
}

#[test]
fn refreshes() {
    let one = Keys {
        stored: true,
        failures: true,
        sights: vec![hit(), refused_refill(), old_boarded()],
        ..run(
            &[refresher(HERE), reader(HERE), reader(HERE)],
            &[remover(HERE)],
        )
    };
    holds("refresh: one process", one);
    let two = Keys {
        stored: true,
        sights: vec![refused_refill()],
        ..run(
            &[refresher(HERE), refresher(THERE), reader(THERE)],
            &[remover(HERE)],
        )
    };
    holds("refresh: two processes", two);
}

#[test]
fn old_values_are_put_back() {
    let one = Keys {
        stored: true,
        failures: true,
        sights: vec![hit(), refused_fill(), put_back()],
        ..run(
            &[shield(HERE), reader(HERE), reader(HERE)],
            &[remover(HERE)],
        )
    };
    holds("stale if error: one process", one);
    let two = Keys {
        stored: true,
        failures: true,
        sights: vec![refused_fill(), put_back()],
        ..run(&[shield(HERE), shield(THERE)], &[remover(HERE)])
    };
    holds("stale if error: two processes", two);
}

#[test]
fn puts() {
    let lone = Keys {
        values_expire: true,
        sights: vec![hit(), refused_put(), put_alone(), refused_fill()],
        ..run(&[reader(HERE), reader(HERE)], &[put(HERE)])
    };
    holds("put: lone", lone);
    let two = Keys {
        sights: vec![refused_put(), put_alone(), refused_fill()],
        ..run(&[reader(THERE)], &[put(HERE), put(THERE)])
    };
    holds("put: two", two);
    let removed = Keys {
        sights: vec![refused_put(), put_alone(), refused_fill()],
        ..run(&[reader(HERE)], &[put(HERE), remover(THERE)])
    };
    holds("put: and a removal", removed);
}
