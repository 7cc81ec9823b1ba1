//! Scripts: text with a hash, in the two forms that servers know.

use redis::{Cmd, Script};

/// One script. Its text may begin with a line `#!lua …`, which Redis 7 and
/// later read, and which is an error for servers before.
pub(crate) struct Lua {
    modern: Form,
    plain: Form,
}

struct Form {
    text: &'static str,
    script: Script,
}

/// How a script is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By its hash: the server has to know it.
    ByHash,
    /// By its text, which makes the server know it.
    ByText,
}

impl Lua {
    pub(crate) fn new(text: &'static str) -> Self {
        let plain = match text.split_once('\n') {
            Some((first, rest)) if first.starts_with("#!") => rest,
            _ => text,
        };
        let form = |text| Form {
            text,
            script: Script::new(text),
        };
        Self {
            modern: form(text),
            plain: form(plain),
        }
    }

    fn form(&self, modern: bool) -> &Form {
        if modern { &self.modern } else { &self.plain }
    }

    /// What makes a server know the script.
    pub(super) fn load(&self, modern: bool) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.form(modern).text);
        load
    }

    /// A run of the script.
    pub(super) fn call<K: AsRef<[u8]>>(
        &self,
        named: Named,
        modern: bool,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Cmd {
        let form = self.form(modern);
        let (name, text) = match named {
            Named::ByHash => ("EVALSHA", form.script.get_hash()),
            Named::ByText => ("EVAL", form.text),
        };
        let (keyed, argued) = (keys.iter().map(K::as_ref), arguments.iter().copied());
        let bytes: usize = keyed.chain(argued).map(<[u8]>::len).sum();
        // The number of keys has a digit, or two.
        let bytes = name.len() + text.len() + 2 + bytes;
        let mut call = Cmd::with_capacity(3 + keys.len() + arguments.len(), bytes);
        call.arg(name).arg(text);
        call.arg(keys.len());
        for key in keys {
            call.arg(key.as_ref());
        }
        for argument in arguments {
            call.arg(*argument);
        }
        call
    }
}

/// A number as a script takes it.
pub(crate) struct Digits {
    text: [u8; 20],
    len: usize,
}

impl From<u64> for Digits {
    fn from(number: u64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number).as_bytes();
        let mut text = [0; 20];
        text[..digits.len()].copy_from_slice(digits);
        Self {
            text,
            len: digits.len(),
        }
    }
}

impl Digits {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
