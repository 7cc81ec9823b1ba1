//! How a call begins: all that a hit at level 1 goes through.

use super::Engine;
use super::call::Call;
use super::site::Site;
use crate::key::KeyWriter;
use crate::local::{Entries, Shared};

/// Not generic, so that it is compiled once, and with all that it calls.
///
/// A value that level 1 answers with comes back by itself, in registers: as a
/// part of a call it would be written and read again, in pieces of another
/// size, which a processor waits for. Without one, `call` is what there is to do.
///
/// It is a method of the map's type, and not of [`Call`], because methods of one
/// type are compiled in one unit, and only within one can looking up become a part
/// of it.
pub(super) trait Begin {
    fn begin(
        engine: Option<&Engine>,
        site: &'static Site,
        closure: &'static str,
        key: &dyn Fn(&mut KeyWriter),
        call: &mut Call,
    ) -> Option<Shared>;
}

impl Begin for Entries {
    fn begin(
        engine: Option<&Engine>,
        site: &'static Site,
        closure: &'static str,
        key: &dyn Fn(&mut KeyWriter),
        call: &mut Call,
    ) -> Option<Shared> {
        let Some(engine) = engine else {
            crate::observe::say_no_runtime();
            return None;
        };
        if engine.is_closing() {
            engine.of_site(site).counters.bypassed();
            return None;
        }
        let identity = site.identity(closure);
        let local_key = engine.local_key(&site.rules, identity, key);
        match engine.look(local_key) {
            Ok(Some(value)) => return Some(value),
            Ok(None) => *call = Call::hit(None),
            Err(aged) => *call = Call::beyond(engine, site, identity, local_key, aged, key),
        }
        None
    }
}
