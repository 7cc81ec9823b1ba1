//! What the scripts answer, read without trust: another program can have
//! written what they read.

use super::super::store::{Changed, List, Listed, Made, Millis, Step, Stored, corrupt};
use super::super::token::Place;
use crate::error::Error;

/// The texts of an answer. The first says what the others are.
pub(super) struct Answer {
    texts: Vec<Vec<u8>>,
}

/// The texts behind the first, one after another.
pub(super) struct Rest(std::vec::IntoIter<Vec<u8>>);

impl Answer {
    pub(super) fn new(texts: Vec<Vec<u8>>) -> Self {
        Self { texts }
    }

    pub(super) fn is(&self, what: &str) -> bool {
        self.texts
            .first()
            .is_some_and(|first| first == what.as_bytes())
    }

    pub(super) fn step<T>(
        self,
        done: impl FnOnce(&mut Rest) -> Result<T, Error>,
    ) -> Result<Step<T>, Error> {
        let mut texts = Rest(self.texts.into_iter());
        match &*texts.bytes()? {
            b"ok" | b"live" => done(&mut texts).map(Step::Done),
            b"gone" => Ok(Step::Gone),
            b"conflict" => Ok(Step::Conflict),
            b"moved" => {
                let place = Place::read(&texts.bytes()?);
                place.map(Step::Moved).ok_or_else(corrupt)
            }
            _ => Err(corrupt()),
        }
    }

    pub(super) fn made(self) -> Result<Option<Made>, Error> {
        if self.is("taken") {
            return Ok(None);
        }
        let made = self.step(|texts| {
            Ok(Made {
                now: texts.number()?,
                expires: texts.number()?,
                ends: texts.number()?,
            })
        })?;
        match made {
            Step::Done(made) => Ok(Some(made)),
            _ => Err(corrupt()),
        }
    }

    pub(super) fn stored(self) -> Result<Step<Stored>, Error> {
        self.step(|texts| {
            let (user_id, data, numbers) = (texts.text()?, texts.bytes()?, texts.text()?);
            let mut numbers = numbers.split(' ').map(str::parse);
            let mut number = || numbers.next().and_then(Result::ok).ok_or_else(corrupt);
            Ok(Stored {
                user_id,
                data,
                created: number()?,
                ends: number()?,
                idle: number()?,
                version: number()?,
                retired: number()? != 0,
                expires: number()?,
                now: number()?,
            })
        })
    }

    /// A deletion tells no more than that it happened.
    pub(super) fn changed(self) -> Result<Step<Changed>, Error> {
        let told = self.texts.len() > 1;
        self.step(|texts| {
            if !told {
                return Ok(Changed::default());
            }
            Ok(Changed {
                version: texts.number()?,
                expires: texts.number()?,
            })
        })
    }

    pub(super) fn list(self) -> Result<List, Error> {
        let mut texts = Rest(self.texts.into_iter());
        let mut list = List {
            removed: texts.number()?,
            now: texts.number()?,
            living: Vec::new(),
        };
        while !texts.0.as_slice().is_empty() {
            list.living.push(Listed {
                hash: texts.text()?,
                created: texts.number()?,
                ends: texts.number()?,
                idle: texts.number()?,
                expires: texts.number()?,
            });
        }
        Ok(list)
    }
}

impl Rest {
    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        self.0.next().ok_or_else(corrupt)
    }

    fn text(&mut self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?).map_err(|_| corrupt())
    }

    fn number(&mut self) -> Result<Millis, Error> {
        self.text()?.parse().map_err(|_| corrupt())
    }
}
