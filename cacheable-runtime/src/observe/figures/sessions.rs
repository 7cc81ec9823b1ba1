//! Sessions.

use std::sync::atomic::{AtomicU64, Ordering};

use super::meter::{Family, counts};
use crate::error::{Error, ErrorKind};

counts! {
    /// How calls of one kind went in this process.
    OperationCounts {
        /// They did what they should.
        ok,
        /// There was no such session, or not any more.
        missing,
        /// Somebody else was before them.
        conflicts,
        /// They returned another error.
        errors,
    }
}

impl OperationCounts {
    /// However they went.
    pub fn total(&self) -> u64 {
        self.ok + self.missing + self.conflicts + self.errors
    }
}

/// What came of one.
#[derive(Clone, Copy)]
enum Outcome {
    Ok,
    Missing,
    Conflict,
    Failed,
}

const OUTCOMES: [&str; 4] = ["ok", "missing", "conflict", "error"];

macro_rules! operations {
    ($($(#[$doc:meta])* $field:ident: $name:ident;)+) => {
        /// How calls of [`Sessions`](crate::Sessions) went in this process, as
        /// far as the store was asked.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct SessionCounts {
            $($(#[$doc])* pub $field: OperationCounts,)+
        }

        #[derive(Clone, Copy, Debug)]
        pub(crate) enum SessionOp {
            $($name,)+
        }

        const OPERATIONS: [&str; [$(SessionOp::$name,)+].len()] = [$(stringify!($field),)+];

        impl SessionCounts {
            /// What happened after `earlier`, which was counted before these.
            #[must_use]
            pub fn since(self, earlier: Self) -> Self {
                Self { $($field: self.$field.since(earlier.$field),)+ }
            }

            /// All kinds of calls together.
            pub fn total(&self) -> OperationCounts {
                let mut sum = OperationCounts::default();
                for one in [$(self.$field,)+] {
                    sum.ok += one.ok;
                    sum.missing += one.missing;
                    sum.conflicts += one.conflicts;
                    sum.errors += one.errors;
                }
                sum
            }
        }

        impl SessionFigures {
            pub(super) fn snapshot(&self) -> SessionCounts {
                SessionCounts { $($field: self.operation(SessionOp::$name),)+ }
            }
        }
    };
}

operations! {
    /// `create` and `create_anonymous`.
    create: Create;
    /// `get`.
    get: Get;
    /// `set`.
    set: Set;
    /// `save`.
    save: Save;
    /// `update`.
    update: Update;
    /// `extend`.
    extend: Extend;
    /// `delete`.
    delete: Delete;
    /// `rotate`.
    rotate: Rotate;
    /// `rotate_as`.
    rotate_as: RotateAs;
    /// `list`.
    list: List;
    /// `revoke`.
    revoke: Revoke;
    /// `revoke_all` and `revoke_all_but`.
    revoke_all: RevokeAll;
}

pub(crate) struct SessionFigures {
    numbers: [[AtomicU64; OUTCOMES.len()]; OPERATIONS.len()],
    series: Family<{ OUTCOMES.len() * OPERATIONS.len() }>,
}

impl Default for SessionFigures {
    fn default() -> Self {
        Self {
            numbers: [const { [const { AtomicU64::new(0) }; OUTCOMES.len()] }; OPERATIONS.len()],
            series: Family::new(),
        }
    }
}

impl SessionFigures {
    /// It was done; `there`: on a session that was there.
    pub(crate) fn done(&self, op: SessionOp, there: bool) {
        self.count(op, if there { Outcome::Ok } else { Outcome::Missing });
    }

    /// It returned this.
    pub(crate) fn failed(&self, op: SessionOp, error: &Error) {
        let outcome = match error.kind() {
            ErrorKind::Gone => Outcome::Missing,
            ErrorKind::Conflict => Outcome::Conflict,
            _ => Outcome::Failed,
        };
        self.count(op, outcome);
    }

    fn count(&self, op: SessionOp, outcome: Outcome) {
        let (op, outcome) = (op as usize, outcome as usize);
        self.numbers[op][outcome].fetch_add(1, Ordering::Relaxed);
        let number = op * OUTCOMES.len() + outcome;
        let name = "cacheable_session_operations_total";
        self.series.add(name, number, || {
            [
                ("op", OPERATIONS[op].to_owned()),
                ("outcome", OUTCOMES[outcome].to_owned()),
            ]
        });
    }

    fn operation(&self, op: SessionOp) -> OperationCounts {
        let numbers = &self.numbers[op as usize];
        let read = |outcome: Outcome| numbers[outcome as usize].load(Ordering::Relaxed);
        OperationCounts {
            ok: read(Outcome::Ok),
            missing: read(Outcome::Missing),
            conflicts: read(Outcome::Conflict),
            errors: read(Outcome::Failed),
        }
    }
}
