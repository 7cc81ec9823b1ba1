//! Tickets: how an answer is known to be out of date.

/// What makes an answer valid; taken before the question is sent.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    pub(super) validity: Validity,
    pub(super) sweeps: u64,
}

/// What of a ticket is looked at for each hit.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) generation: Generation,
    pub(super) stripe: u16,
    /// It comes round, after four billion changes in one stripe within the
    /// life of an entry: more than a server tells of in an hour.
    pub(super) epoch: u32,
}

/// A time of unbroken trust, unlike any other of the last billion.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u32);

/// What the entries of a generation rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing: there is a server, and it does not tell of changes.
    Blind = 0,
    /// The server tells of changes, or there is no server.
    Followed = 1,
    /// The server is away: values are kept for a short time, to shield their
    /// source.
    Degraded = 2,
}

impl Generation {
    pub(super) fn new(number: u32, mode: Mode) -> Self {
        Self(number << 2 | mode as u32)
    }

    pub(super) fn mode(self) -> Mode {
        match self.0 & 3 {
            0 => Mode::Blind,
            1 => Mode::Followed,
            _ => Mode::Degraded,
        }
    }
}
