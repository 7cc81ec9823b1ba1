//! One rule off, and what comes of it.

use super::checks::{HERE, THERE, run};
use super::properties::{FENCE, LOCAL, OWN, QUIET, TOLD};
use super::{Rules, Tags};
use crate::breaks;

/// A body reads, a removal of this process runs from end to end, and the value
/// gets a stamp of after it.
#[test]
fn a_stamp_that_is_taken_after_the_body() {
    let rules = Rules {
        stamps_before: false,
        ..Rules::BUILT
    };
    breaks(
        "stamp after",
        Tags {
            rules,
            ..run(&[HERE], &[HERE])
        },
        FENCE,
    );
}

/// A removal, and then the eviction of its marker: 0 allows every stamp.
#[test]
fn a_lost_marker_that_is_made_from_nothing() {
    let rules = Rules {
        marker_from_counter: false,
        ..Rules::BUILT
    };
    breaks(
        "marker 0",
        Tags {
            rules,
            ..run(&[HERE], &[HERE])
        },
        FENCE,
    );
}

/// A removal, and then the eviction of marker and counter: a marker is made
/// from 0.
#[test]
fn a_lost_counter_that_begins_anew() {
    let rules = Rules {
        counter_from_time: false,
        ..Rules::BUILT
    };
    breaks(
        "counter 0",
        Tags {
            rules,
            ..run(&[HERE], &[HERE])
        },
        FENCE,
    );
}

/// A marker is known, the link is lost, a removal takes effect, and the new
/// link does not track the marker: entries of before pass for good.
#[test]
fn markers_that_outlive_their_link() {
    let rules = Rules {
        markers_end: false,
        ..Rules::BUILT
    };
    let elsewhere = run(&[THERE; 2], &[HERE]);
    breaks(
        "old markers",
        Tags {
            stored: true,
            losses: 1,
            rules,
            ..elsewhere
        },
        QUIET,
    );
}

/// A marker is on the wire, or in a task that sleeps, when the push on it is
/// applied; then it is kept.
#[test]
fn a_fetched_marker_that_was_overtaken() {
    let rules = Rules {
        fetch_is_vouched: false,
        ..Rules::BUILT
    };
    breaks(
        "overtaken marker",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[HERE; 2], &[HERE])
        },
        LOCAL,
    );
    breaks(
        "overtaken marker, for ever",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[THERE; 2], &[HERE])
        },
        QUIET,
    );
}

/// The reply comes over a connection that is not tracked: of a later removal
/// elsewhere nobody tells, or has told already.
#[test]
fn a_marker_from_the_reply_of_a_removal() {
    let rules = Rules {
        reply_forgets: false,
        ..Rules::BUILT
    };
    breaks(
        "marker of a reply",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[HERE; 2], &[HERE, THERE])
        },
        LOCAL,
    );
    breaks(
        "marker of a reply, for ever",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[HERE; 2], &[HERE, THERE])
        },
        QUIET,
    );
}

/// A flight of before a removal lands after it, and somebody who came after it
/// had joined: tags are known only with the value, so nothing dispersed it.
#[test]
fn landings_without_the_marker() {
    let rules = Rules {
        landing_is_checked: false,
        ..Rules::BUILT
    };
    breaks(
        "landing",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[HERE; 2], &[HERE])
        },
        OWN,
    );
    breaks(
        "landing, elsewhere",
        Tags {
            stored: true,
            disperses: true,
            rules,
            ..run(&[THERE; 2], &[HERE])
        },
        TOLD,
    );
}
