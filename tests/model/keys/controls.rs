//! One rule off, and what comes of it.

use super::checks::{HERE, SWEEP, THERE, at, put, reader, refresher, remover, run};
use super::properties::{FENCE, LOCAL, OWN, PUSHED, QUIET, TOLD};
use super::{Keys, Landing, Local, Reconnect, Rules};
use crate::breaks;

fn here() -> Keys {
    run(&[reader(HERE); 2], &[remover(HERE)])
}

fn elsewhere() -> Keys {
    run(&[reader(THERE); 2], &[remover(HERE)])
}

#[test]
fn a_fill_that_does_not_compare() {
    let rules = Rules {
        fill_compares: false,
        ..Rules::BUILT
    };
    breaks("no lease", Keys { rules, ..here() }, FENCE);
}

#[test]
fn a_mark_in_the_place_of_a_ticket() {
    let rules = Rules {
        local: Local::Mark,
        ..Rules::BUILT
    };
    breaks("mark", Keys { rules, ..here() }, LOCAL);
    breaks("mark, for ever", Keys { rules, ..here() }, QUIET);
}

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

#[test]
fn an_epoch_that_moves_only_before() {
    let rules = Rules {
        bumps_after: false,
        ..Rules::BUILT
    };
    breaks("bump before", Keys { rules, ..here() }, LOCAL);
    breaks("bump before, reads", Keys { rules, ..here() }, OWN);
}

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
        "landing, alone",
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
