//! The secret that a client holds, and what is kept of it.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::{name, secret};
use crate::error::{Error, ErrorKind};

/// What nobody can guess.
const SECRET: usize = 32;
/// Whose session it is, which tells where to look.
const OWNER: usize = 16;
const BYTES: usize = SECRET + OWNER;
const TEXT: usize = BYTES / 3 * 4;

/// What a client shows to be let into its session: 64 letters of base64url, of
/// which 256 bits come from the operating system's generator.
///
/// The rest is a digest of the user's id, masked by the secret part. It tells
/// where a session is kept, and makes tokens of one user look unrelated.
///
/// The server knows the SHA-256 of a token alone. It has no `Display`, `Debug`
/// hides it, and its memory is overwritten when it is dropped.
///
/// ```
/// use cacheable_runtime::SessionToken;
///
/// // What a client sends may be anything.
/// assert!(SessionToken::parse("../../etc/passwd").is_err());
/// ```
#[derive(Clone)]
pub struct SessionToken {
    /// On the heap, as a value that is moved would leave copies behind.
    text: Box<Zeroizing<[u8; TEXT]>>,
}

impl SessionToken {
    /// Reads what a client sent. That it could be a token says nothing about
    /// whether it is one.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`]: no token looks like this. To a client it is
    /// the same as an unknown one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let unlike = || {
            Error::new(
                ErrorKind::Argument,
                "this is no session token: treat it as an unknown one",
            )
        };
        let mut bytes = Zeroizing::new([0; BYTES]);
        if text.len() == TEXT && Base64UrlUnpadded::decode(text, &mut *bytes).is_ok() {
            let mut own = Box::new(Zeroizing::new([0; TEXT]));
            own.copy_from_slice(text.as_bytes());
            Ok(Self { text: own })
        } else {
            Err(unlike())
        }
    }

    /// The text, for a cookie of this session's client and nothing else.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&**self.text).expect("base64url is ASCII")
    }

    /// A new one, for a session of this owner.
    pub(super) fn of(owner: &Owner) -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[..SECRET].copy_from_slice(&*Zeroizing::new(secret::bytes::<SECRET>()));
        let mask = mask(&bytes[..SECRET]);
        for (place, (owner, mask)) in bytes[SECRET..].iter_mut().zip(owner.0.iter().zip(mask)) {
            *place = owner ^ mask;
        }
        let mut text = Box::new(Zeroizing::new([0; TEXT]));
        Base64UrlUnpadded::encode(&*bytes, &mut **text).expect("there is room for it");
        Self { text }
    }

    /// Where its session is, if there is one.
    pub(super) fn place(&self) -> Place {
        let mut bytes = Zeroizing::new([0; BYTES]);
        Base64UrlUnpadded::decode(&self.text[..], &mut *bytes).expect("it was read before");
        let mask = mask(&bytes[..SECRET]);
        let mut owner = [0; OWNER];
        for (owner, (place, mask)) in owner.iter_mut().zip(bytes[SECRET..].iter().zip(mask)) {
            *owner = place ^ mask;
        }
        Place {
            owner: Owner(owner),
            hash: hash(&*bytes),
        }
    }
}

impl FromStr for SessionToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl PartialEq for SessionToken {
    /// In a time that does not depend on where they differ.
    fn eq(&self, other: &Self) -> bool {
        let differ = |all, (one, other): (&u8, &u8)| all | (one ^ other);
        self.text.iter().zip(other.text.iter()).fold(0, differ) == 0
    }
}

impl Eq for SessionToken {}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

fn mask(secret: &[u8]) -> [u8; OWNER] {
    let mut hash = Sha256::new();
    hash.update(b"owner");
    hash.update(secret);
    first(&hash.finalize())
}

fn first(hash: &[u8]) -> [u8; OWNER] {
    hash[..OWNER].try_into().expect("a hash is longer")
}

fn hash(secret: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(secret))
}

/// Whom a session belongs to. All keys about one are in one slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner([u8; OWNER]);

impl Owner {
    pub(super) fn user(id: &str) -> Self {
        Self(first(&Sha256::digest(id.as_bytes())))
    }

    /// Nobody, so that sessions of nobody are spread over the slots.
    pub(super) fn nobody() -> Self {
        Self(secret::bytes())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It stands in each key, and a byte after another would take long.
        let mut text = String::with_capacity(2 * OWNER);
        name::append_hex(&mut text, &self.0);
        f.write_str(&text)
    }
}

/// Where a session is kept, which does not tell its token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) owner: Owner,
    /// Of the token, in base64url.
    pub(super) hash: String,
}

impl Place {
    /// Of a session that another program than a browser names by number.
    #[cfg(feature = "tower-sessions")]
    pub(super) fn of_number(number: i128) -> Self {
        let mut owner = Sha256::new();
        owner.update(b"number");
        owner.update(number.to_be_bytes());
        Self {
            owner: Owner(first(&owner.finalize())),
            hash: hash(&number.to_be_bytes()),
        }
    }

    /// A session of a user, by what [`SessionInfo`](super::SessionInfo) calls
    /// it. `None`: no session is called so.
    pub(super) fn listed(owner: Owner, id: &str) -> Option<Self> {
        Base64UrlUnpadded::decode(id, &mut [0; 32])
            .ok()
            .filter(|hash| hash.len() == 32)?;
        Some(Self {
            owner,
            hash: id.to_owned(),
        })
    }

    /// What [`Display`](fmt::Display) wrote.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (owner, hash) = text.split_once(':')?;
        if owner.len() != 2 * OWNER || !owner.is_ascii() {
            return None;
        }
        let mut bytes = [0; OWNER];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&owner[2 * at..2 * at + 2], 16).ok()?;
        }
        Self::listed(Owner(bytes), hash)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.owner, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_its_owner_and_says_nothing() {
        let owner = Owner::user("user-1");
        let token = SessionToken::of(&owner);
        assert!(token.place().owner == owner);
        let again = SessionToken::parse(token.expose()).unwrap();
        assert!(again == token && again.place() == token.place());
        assert_eq!(format!("{token:?}"), "SessionToken(..)");
        let place = token.place();
        assert!(Place::read(place.to_string().as_bytes()) == Some(place));
        for bad in ["", ":", "zz:a", "é:é"] {
            assert!(Place::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_two_of_a_million_begin_alike() {
        let owner = Owner::user("user-1");
        let mut begin: Vec<[u8; 16]> = (0..1_000_000)
            .map(|_| {
                let token = SessionToken::of(&owner);
                token.expose().as_bytes()[..16].try_into().unwrap()
            })
            .collect();
        begin.sort_unstable();
        begin.dedup();
        // 96 bits each.
        assert_eq!(begin.len(), 1_000_000);
    }

    #[test]
    fn what_looks_unlike_a_token_is_none() {
        let token = SessionToken::of(&Owner::nobody());
        let text = token.expose();
        for bad in [
            &text[1..],
            &format!("{text}A"),
            &text.replace(&text[..1], "*"),
            "",
        ] {
            assert_eq!(
                SessionToken::parse(bad).unwrap_err().kind(),
                ErrorKind::Argument
            );
        }
    }

    #[test]
    fn another_owner_in_a_token_leads_nowhere() {
        let token = SessionToken::of(&Owner::user("mallory"));
        let mut text = token.expose().to_owned();
        let last = if text.ends_with('A') { "B" } else { "A" };
        text.replace_range(63.., last);
        let forged = SessionToken::parse(&text).unwrap();
        assert!(forged.place().hash != token.place().hash);
    }
}
