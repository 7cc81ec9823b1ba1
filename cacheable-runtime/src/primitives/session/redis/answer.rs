//! What the scripts answer, read without trust: another program can have
//! written what they read.

use super::super::store::{Changed, List, Listed, Made, Step, Stored, corrupt};
use super::super::token::Place;
use crate::error::Error;

/// One text, which begins with a word that says what follows.
pub(super) struct Answer(Vec<u8>);

/// What follows.
struct Rest<'a>(&'a [u8]);

/// The byte of a head that says that another session has taken over.
const RETIRED: u8 = b'R';

/// How many bytes of a head tell of the mark.
const MARK: usize = 24;

impl Answer {
    pub(super) fn new(text: Vec<u8>) -> Self {
        Self(text)
    }

    pub(super) fn is(&self, what: &str) -> bool {
        self.0 == what.as_bytes()
    }

    /// `done` says what follows a word for success.
    fn step<T>(&self, done: impl FnOnce(Rest<'_>) -> Result<T, Error>) -> Result<Step<T>, Error> {
        let text = self.0.as_slice();
        if let Some(rest) = text.strip_prefix(b"live").or(text.strip_prefix(b"ok")) {
            return done(Rest(rest)).map(Step::Done);
        }
        match text {
            b"gone" => Ok(Step::Gone),
            b"conflict" => Ok(Step::Conflict),
            _ => {
                let place = text.strip_prefix(b"moved").and_then(Place::read);
                place.map(Step::Moved).ok_or_else(corrupt)
            }
        }
    }

    pub(super) fn done(&self) -> Result<Step<()>, Error> {
        self.step(|_| Ok(()))
    }

    pub(super) fn made(&self) -> Result<Option<Made>, Error> {
        if self.is("taken") {
            return Ok(None);
        }
        let made = self.step(|mut rest| {
            Ok(Made {
                now: rest.number()?,
                expires: rest.number()?,
                ends: rest.number()?,
            })
        })?;
        match made {
            Step::Done(made) => Ok(Some(made)),
            _ => Err(corrupt()),
        }
    }

    pub(super) fn stored(mut self) -> Result<Step<Stored>, Error> {
        let mut before = 0;
        let mut step = self.step(|mut rest| {
            let (expires, now) = (rest.number()?, rest.number()?);
            let head = rest.number()?;
            let mut head = Rest(rest.bytes(usize::try_from(head).map_err(|_| corrupt())?)?);
            before = self.0.len() - rest.0.len();
            let kind = head.bytes(1)?[0];
            head.bytes(MARK)?;
            Ok(Stored {
                expires,
                now,
                retired: kind == RETIRED,
                created: head.number()?,
                ends: head.number()?,
                idle: head.number()?,
                version: head.number()?,
                user_id: String::from_utf8(head.0.to_vec()).map_err(|_| corrupt())?,
                data: Vec::new(),
            })
        })?;
        if let Step::Done(stored) = &mut step {
            self.0.drain(..before);
            stored.data = self.0;
        }
        Ok(step)
    }

    /// A deletion tells no more than that it happened.
    pub(super) fn changed(&self) -> Result<Step<Changed>, Error> {
        self.step(|mut rest| {
            if rest.0.is_empty() {
                return Ok(Changed::default());
            }
            Ok(Changed {
                version: rest.number()?,
                expires: rest.number()?,
            })
        })
    }

    /// Of sessions of these names.
    pub(super) fn list(&self, names: &[String]) -> Result<List, Error> {
        let mut rest = Rest(&self.0);
        let mut list = List {
            removed: rest.number()?,
            now: rest.number()?,
            living: Vec::new(),
        };
        while !rest.0.is_empty() {
            // The first is number 1.
            let name = names.get(rest.number()?.wrapping_sub(1) as usize);
            list.living.push(Listed {
                hash: name.ok_or_else(corrupt)?.clone(),
                created: rest.number()?,
                ends: rest.number()?,
                idle: rest.number()?,
                expires: rest.number()?,
            });
        }
        Ok(list)
    }
}

impl<'a> Rest<'a> {
    fn bytes(&mut self, number: usize) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.0.split_at_checked(number).ok_or_else(corrupt)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// What is below 0 is 0, and what is too large the largest that there is.
    #[allow(clippy::cast_sign_loss, reason = "a negative one was made 0")]
    fn number(&mut self) -> Result<u64, Error> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(corrupt)?;
        self.0 = rest;
        let number = f64::from_le_bytes(*bytes);
        Ok(number.max(0.0) as u64)
    }
}
