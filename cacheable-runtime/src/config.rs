//! Where the settings come from, and what is wrong with them.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The variables that [`Runtime::from_env`](crate::Runtime::from_env) reads.
pub(crate) mod variable {
    pub(crate) const URL: &str = "REDIS_URL";
    pub(crate) const CA: &str = "REDIS_CA_FILE";
    pub(crate) const CONNECT: &str = "REDIS_CONNECTION_TIMEOUT";
    pub(crate) const COMMAND: &str = "REDIS_COMMAND_TIMEOUT";
    pub(crate) const POOL: &str = "REDIS_POOL_SIZE";
}

/// What the variables say; `None` where they say nothing.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) url: Option<String>,
    /// What is in the file.
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) pool_size: Option<u32>,
}

/// An hour: a longer wait for one command is a slip in the unit.
const LONGEST_TIMEOUT: u64 = 3_600_000;
/// One multiplexed connection carries what a pool of these would.
const LARGEST_POOL: u64 = 1_024;

impl Environment {
    pub(crate) fn read() -> Result<Self, Error> {
        Self::read_with(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::new(
                ErrorKind::Configuration,
                format!("{name} is not valid UTF-8"),
            )),
        })
    }

    fn read_with(lookup: impl Fn(&str) -> Result<Option<String>, Error>) -> Result<Self, Error> {
        // A variable that is set to nothing is not set, as in a compose file.
        let set = |name| -> Result<_, Error> {
            Ok(lookup(name)?.filter(|value| !value.trim().is_empty()))
        };
        let millis = |name| -> Result<_, Error> {
            let value = set(name)?;
            let millis =
                value.map(|value| number(name, &value, 5_000, LONGEST_TIMEOUT, "milliseconds as "));
            Ok(millis.transpose()?.map(Duration::from_millis))
        };
        let pool = set(variable::POOL)?;
        let pool = pool.map(|value| number(variable::POOL, &value, 10, LARGEST_POOL, ""));
        Ok(Self {
            url: set(variable::URL)?.map(|url| url.trim().to_owned()),
            ca: set(variable::CA)?.map(|path| file(&path)).transpose()?,
            connect_timeout: millis(variable::CONNECT)?,
            command_timeout: millis(variable::COMMAND)?,
            pool_size: pool.transpose()?.map(|size| size as u32),
        })
    }
}

fn file(path: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path.trim()).map_err(|error| {
        Error::with_source(
            ErrorKind::Configuration,
            format!(
                "the file that {} names cannot be read: it holds certificates as PEM",
                variable::CA
            ),
            error.to_string(),
        )
    })
}

fn number(name: &str, value: &str, example: u64, most: u64, unit: &str) -> Result<u64, Error> {
    let value = value.trim();
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => {
            // What is in the wrong variable may be a secret: only what is
            // plainly a number with or without a unit is repeated.
            let unit_of =
                value.trim_start_matches(|c: char| c.is_ascii_digit() || "-._".contains(c));
            let plain =
                unit_of.len() < value.len() && ["", "ms", "s", "m", "h"].contains(&unit_of.trim());
            let shown = if plain { value } else { "not a number" };
            Err(Error::new(
                ErrorKind::Configuration,
                format!(
                    "{name} is `{shown}`: write {unit}a whole number from 1 to {most}, such as {example}"
                ),
            ))
        }
    }
}

/// Checks what every key of the runtime will begin with.
pub(crate) fn check_namespace(namespace: &str) -> Result<(), Error> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let why = if namespace.is_empty() {
        "it is empty"
    } else if namespace.len() > 128 {
        "it is longer than 128 bytes"
    } else if !namespace.bytes().all(usable) {
        "it has other characters than letters, digits, `_`, `-`, `.` and `:`"
    } else if namespace.starts_with(':') || namespace.ends_with(':') {
        "a colon is put after it, so it may not begin or end with one"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Configuration,
        format!("this namespace cannot be used: {why}; write one such as `shop` or `shop:eu`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, Error> {
        Environment::read_with(|name| {
            let found = variables.iter().find(|(set, _)| *set == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    #[track_caller]
    fn refused(name: &str, value: &str, expected: &str) {
        let Err(error) = read(&[(name, value)]) else {
            panic!("{name}={value} was taken");
        };
        assert!(error.is_configuration());
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn nothing_set_and_set_to_nothing_are_the_same() {
        for variables in [&[][..], &[("REDIS_URL", ""), ("REDIS_POOL_SIZE", " ")]] {
            let environment = read(variables).unwrap();
            assert!(environment.url.is_none() && environment.pool_size.is_none());
        }
    }

    #[test]
    fn the_four_variables_are_read() {
        let environment = read(&[
            ("REDIS_URL", " redis://host "),
            ("REDIS_CONNECTION_TIMEOUT", "250"),
            ("REDIS_COMMAND_TIMEOUT", "5000"),
            ("REDIS_POOL_SIZE", "3"),
        ])
        .unwrap();
        assert_eq!(environment.url.as_deref(), Some("redis://host"));
        assert_eq!(
            environment.connect_timeout,
            Some(Duration::from_millis(250))
        );
        assert_eq!(environment.command_timeout, Some(Duration::from_secs(5)));
        assert_eq!(environment.pool_size, Some(3));
    }

    #[test]
    fn certificates_are_read_from_the_file_that_is_named() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let environment = read(&[("REDIS_CA_FILE", here)]).unwrap();
        assert!(environment.ca.unwrap().starts_with(b"[package]"));
        let missing = concat!(env!("CARGO_MANIFEST_DIR"), "/missing");
        let error = read(&[("REDIS_CA_FILE", missing)]).err().unwrap();
        assert!(error.is_configuration());
        let said = error.to_string();
        assert!(
            said.contains("REDIS_CA_FILE") && !said.contains("missing"),
            "{said}"
        );
    }

    #[test]
    fn a_bad_value_is_named_with_what_to_write() {
        let most = "write milliseconds as a whole number from 1 to 3600000, such as 5000";
        refused(
            "REDIS_COMMAND_TIMEOUT",
            "5s",
            &format!("REDIS_COMMAND_TIMEOUT is `5s`: {most}"),
        );
        refused(
            "REDIS_CONNECTION_TIMEOUT",
            "0",
            &format!("REDIS_CONNECTION_TIMEOUT is `0`: {most}"),
        );
        refused(
            "REDIS_CONNECTION_TIMEOUT",
            "-1",
            &format!("REDIS_CONNECTION_TIMEOUT is `-1`: {most}"),
        );
        refused(
            "REDIS_POOL_SIZE",
            "0",
            "REDIS_POOL_SIZE is `0`: write a whole number from 1 to 1024, such as 10",
        );
        refused(
            "REDIS_POOL_SIZE",
            "redis://:hunter2@host",
            "REDIS_POOL_SIZE is `not a number`: write a whole number from 1 to 1024, such as 10",
        );
    }

    #[test]
    fn a_password_in_the_wrong_variable_is_not_repeated() {
        for value in ["hunter2", ":hunter2@host:6379"] {
            let Err(error) = read(&[("REDIS_POOL_SIZE", value)]) else {
                panic!("{value} was taken");
            };
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_namespace_is_plain() {
        check_namespace("shop:eu-1.a_b").unwrap();
        for bad in ["", "a*", "a b", ":a", "a:", "ä", &"x".repeat(129)] {
            assert!(
                check_namespace(bad).unwrap_err().is_configuration(),
                "{bad}"
            );
        }
    }
}
