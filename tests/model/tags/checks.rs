//! Tags as they are built, in runs of different shapes.

use super::properties::{hit, joined, overtaken_marker, reconnected, recreated, too_old};
use super::{Rules, Tags};
use crate::holds;

pub(super) const HERE: usize = 0;
pub(super) const THERE: usize = 1;

pub(super) fn run(readers: &[usize], writers: &[usize]) -> Tags {
    Tags {
        readers: readers.to_vec(),
        writers: writers.to_vec(),
        stored: false,
        disperses: false,
        losses: 0,
        rules: Rules::BUILT,
        sights: Vec::new(),
    }
}

#[test]
fn reads_in_the_process_that_removes() {
    let three = Tags {
        sights: vec![hit(), too_old(), recreated(), overtaken_marker(), joined()],
        ..run(&[HERE; 3], &[HERE])
    };
    holds("tags, one process: 3 reads, 1 removal", three);
    let dispersed = Tags {
        stored: true,
        disperses: true,
        sights: vec![too_old(), recreated(), overtaken_marker(), joined()],
        ..run(&[HERE; 2], &[HERE])
    };
    holds("tags, one process: dispersed", dispersed);
    let twice = Tags {
        stored: true,
        sights: vec![too_old(), recreated(), overtaken_marker(), joined()],
        ..run(&[HERE; 2], &[HERE; 2])
    };
    holds("tags, one process: 2 reads, 2 removals", twice);
}

#[test]
fn reads_in_another_process() {
    let three = Tags {
        sights: vec![hit(), too_old(), overtaken_marker(), joined()],
        ..run(&[THERE; 3], &[HERE])
    };
    holds("tags, elsewhere: 3 reads, 1 removal", three);
    let dispersed = Tags {
        stored: true,
        disperses: true,
        sights: vec![too_old(), recreated(), overtaken_marker(), joined()],
        ..run(&[THERE; 2], &[HERE])
    };
    holds("tags, elsewhere: dispersed", dispersed);
}

#[test]
fn reads_in_both_processes() {
    let sights = vec![too_old(), recreated(), overtaken_marker()];
    let one = Tags {
        sights: sights.clone(),
        ..run(&[HERE, THERE], &[HERE])
    };
    holds("tags, both: 2 reads, 1 removal", one);
    let each = Tags {
        stored: true,
        sights,
        ..run(&[HERE, HERE], &[HERE, THERE])
    };
    holds("tags, one process: 2 reads, a removal in each", each);
}

#[test]
fn lost_links() {
    let elsewhere = Tags {
        stored: true,
        losses: 1,
        sights: vec![too_old(), reconnected(), joined()],
        ..run(&[THERE; 2], &[HERE])
    };
    holds("tags, lost link: elsewhere", elsewhere);
    let here = Tags {
        stored: true,
        losses: 1,
        sights: vec![too_old(), reconnected(), joined()],
        ..run(&[HERE; 2], &[HERE])
    };
    holds("tags, lost link: here", here);
}
