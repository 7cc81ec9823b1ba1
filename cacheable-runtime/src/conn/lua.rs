//! Scripts: text with a hash, in the two forms that servers know.

use redis::{Cmd, Script, cmd};

/// One script. Its text may begin with a line `#!lua …`, which Redis 7 and
/// later read, and which is an error for servers before.
pub(crate) struct Lua {
    modern: Script,
    plain: Script,
}

impl Lua {
    pub(crate) fn new(text: &str) -> Self {
        let plain = match text.split_once('\n') {
            Some((first, rest)) if first.starts_with("#!") => rest,
            _ => text,
        };
        Self {
            modern: Script::new(text),
            plain: Script::new(plain),
        }
    }

    pub(super) fn form(&self, modern: bool) -> &Script {
        if modern { &self.modern } else { &self.plain }
    }

    /// The call of the script by its hash.
    pub(super) fn call<K: AsRef<[u8]>>(
        &self,
        modern: bool,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(self.form(modern).get_hash()).arg(keys.len());
        for key in keys {
            call.arg(key.as_ref());
        }
        for argument in arguments {
            call.arg(*argument);
        }
        call
    }
}
