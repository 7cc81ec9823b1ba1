//! One rule off, and what comes of it.

use super::checks::{HERE, SWEEP, THERE, at, put, reader, refresher, remover, run, shield};
use super::properties::{FENCE, LOCAL, OWN, PUSHED, QUIET, TOLD};
use super::{Keys, Landing, Local, Reconnect, Rules};
use crate::breaks;

fn here() -> Keys {
    run(&[reader(HERE); 2], &[remover(HERE)])
}

fn elsewhere() -> Keys {
    run(&[reader(THERE); 2], &[remover(HERE)])
}

/// A body reads, a removal runs from end to end, and the fill comes after it.
#[test]
fn a_fill_that_does_not_compare() {
    let rules = Rules {
        fill_compares: false,
        ..Rules::BUILT
    };
    breaks("no lease", Keys { rules, ..here() }, FENCE);
}

/// A reply of before the removal is handled after it, under the mark that a
/// later look-up has set. That look-up then finds its mark used up, so the old
/// value stays.
#[test]
fn a_mark_in_the_place_of_a_ticket() {
    let rules = Rules {
        local: Local::Mark,
        ..Rules::BUILT
    };
    breaks("mark", Keys { rules, ..here() }, LOCAL);
    breaks("mark, for ever", Keys { rules, ..here() }, QUIET);
}

/// A fill is stored and answered; the push or the reply of the removal comes
/// before the filler's task wakes up and keeps the value.
#[test]
fn nothing_in_the_place_of_a_ticket() {
    let rules = Rules {
        local: Local::Nothing,
        ..Rules::BUILT
    };
    breaks("no ticket", Keys { rules, ..here() }, LOCAL);
    breaks(
        "no ticket, elsewhere, for ever",
        Keys {
            rules,
            ..elsewhere()
        },
        QUIET,
    );
}

/// A body reads under a lease, the sweep passes by, and the fill finds the
/// lease.
#[test]
fn a_sweep_that_passes_leases_over() {
    let rules = Rules {
        sweeps_leases: false,
        ..Rules::BUILT
    };
    breaks(
        "sweep",
        Keys {
            rules,
            ..run(&[reader(HERE), at(1, reader(HERE))], &[SWEEP])
        },
        FENCE,
    );
}

/// After the first move a filler takes its ticket and stores; the removal takes
/// effect and returns, and its push is still on its way to level 1.
#[test]
fn an_epoch_that_moves_only_before() {
    let rules = Rules {
        bumps_after: false,
        ..Rules::BUILT
    };
    breaks("bump before", Keys { rules, ..here() }, LOCAL);
    breaks("bump before, reads", Keys { rules, ..here() }, OWN);
}

/// A fill is kept in level 1, the removal takes effect, and this process is not
/// told: only the reply of the removal ends the entry. Without that move it
/// stays for ever.
#[test]
fn a_removal_over_the_tracked_connection() {
    let rules = Rules {
        own_connection: false,
        ..Rules::BUILT
    };
    breaks("tracked connection", Keys { rules, ..here() }, PUSHED);
    let rules = Rules {
        bumps_after: false,
        ..rules
    };
    breaks(
        "tracked connection, for ever",
        Keys { rules, ..here() },
        QUIET,
    );
}

/// A value of before the loss, or of the time without a link, is served between
/// the publication and the clear.
#[test]
fn a_link_that_is_published_before_the_clear() {
    let rules = Rules {
        reconnect: Reconnect::PublishedFirst,
        ..Rules::BUILT
    };
    breaks(
        "published first",
        Keys {
            rules,
            losses: 1,
            ..elsewhere()
        },
        LOCAL,
    );
}

/// A value is kept while there is no link, the removal is not pushed to this
/// process, and the new link takes the value over.
#[test]
fn a_link_of_the_same_generation() {
    let rules = Rules {
        reconnect: Reconnect::SameGeneration,
        ..Rules::BUILT
    };
    breaks(
        "same generation",
        Keys {
            rules,
            losses: 1,
            ..elsewhere()
        },
        QUIET,
    );
}

/// The link goes while the removal is on its way; the lease of before is still
/// there when the new link comes, and is filled.
#[test]
fn a_removal_that_is_forgotten_with_its_link() {
    let rules = Rules {
        repairs: false,
        ..Rules::BUILT
    };
    breaks(
        "no repair",
        Keys {
            rules,
            losses: 1,
            ..here()
        },
        OWN,
    );
}

/// A refresh reads, a removal runs from end to end, and the refresh stores.
#[test]
fn a_refresh_that_does_not_compare() {
    let rules = Rules {
        refill_compares: false,
        ..Rules::BUILT
    };
    breaks(
        "refresh",
        Keys {
            stored: true,
            rules,
            ..run(&[refresher(HERE), reader(HERE)], &[remover(HERE)])
        },
        FENCE,
    );
}

/// The lease of the put ends, a reader loads under one of its own before the
/// write, and fills after the put has returned.
#[test]
fn a_put_that_leaves_what_it_was_refused_for() {
    let rules = Rules {
        put_removes: false,
        ..Rules::BUILT
    };
    breaks(
        "put",
        Keys {
            rules,
            ..run(&[reader(HERE)], &[put(HERE)])
        },
        FENCE,
    );
}

/// Dispersal alone. A value that was found is handed over after a push that
/// somebody who joined had seen. Worse, a refresh that began between the two
/// moves of a removal is past its look-up, so it is not dispersed: it serves
/// the old value to a call of this process that comes after the removal.
#[test]
fn landings_without_a_ticket() {
    let rules = Rules {
        landing: Landing::Dispersed,
        ..Rules::BUILT
    };
    breaks(
        "landing, look-up",
        Keys {
            rules,
            stored: true,
            ..elsewhere()
        },
        TOLD,
    );
    breaks(
        "landing, fill",
        Keys {
            rules,
            budgets: true,
            ..elsewhere()
        },
        TOLD,
    );
    breaks(
        "landing, refresh",
        Keys {
            stored: true,
            rules,
            ..run(&[refresher(HERE), reader(HERE)], &[remover(HERE)])
        },
        OWN,
    );
}

/// The push of a removal is applied, then a filler of before it takes a new
/// ticket, somebody joins, and the fill, which would be refused, is given up. The
/// filler is told since its lease took the place of an old value; where nothing was,
/// it is not followed.
#[test]
fn a_landing_whose_fill_got_no_answer() {
    let rules = Rules {
        shares_unknown: true,
        ..Rules::BUILT
    };
    let budgets = true;
    breaks(
        "unknown fill",
        Keys {
            budgets,
            rules,
            stored: true,
            ..run(&[shield(THERE), reader(THERE)], &[remover(HERE)])
        },
        TOLD,
    );
}
