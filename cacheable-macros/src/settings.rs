//! How a value is kept: what the static descriptor says.

use syn::{LitFloat, LitInt};

use crate::args::CacheableArgs;
use crate::check;
use crate::diag::Errors;
use crate::duration::{self, Life};
use crate::freshness;

/// What the static descriptor says.
pub(crate) struct Site {
    pub(crate) prefix: String,
    pub(crate) ttl: Life,
    pub(crate) none_ttl: Option<Life>,
    pub(crate) local_ttl: Option<Life>,
    pub(crate) stale_while_revalidate: Option<Life>,
    pub(crate) stale_if_error: Option<Life>,
    pub(crate) retry_after: Option<Life>,
    pub(crate) load_timeout: Option<Life>,
    pub(crate) jitter: Option<LitFloat>,
    pub(crate) refresh_ahead: Option<LitFloat>,
    pub(crate) beta: Option<LitFloat>,
    pub(crate) local: Option<bool>,
    pub(crate) codec: Option<Codec>,
    pub(crate) schema: Option<LitInt>,
}

impl Site {
    /// Every life, with the setter that takes it.
    pub(crate) fn lives(&self) -> [(&'static str, Option<&Life>); 7] {
        [
            ("ttl", Some(&self.ttl)),
            ("none_ttl", self.none_ttl.as_ref()),
            ("local_ttl", self.local_ttl.as_ref()),
            (
                "stale_while_revalidate",
                self.stale_while_revalidate.as_ref(),
            ),
            ("stale_if_error", self.stale_if_error.as_ref()),
            ("retry_after", self.retry_after.as_ref()),
            ("load_timeout", self.load_timeout.as_ref()),
        ]
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Codec {
    Auto,
    Bincode,
    MsgPack,
    Json,
}

pub(crate) fn site(args: &CacheableArgs, errors: &mut Errors) -> Option<Site> {
    let ttl = duration::life(&args.ttl, errors);
    if args.ttl.is_absent() && !errors.was_meant("ttl") {
        errors.missing(
            "`ttl` is missing, and no value may be kept for ever by default; write how long it \
             may be kept, such as `ttl = 3600` or `ttl = \"1h\"`",
        );
    }
    if args.key_prefix.is_absent() && !errors.was_meant("key_prefix") {
        errors.missing(
            "`key_prefix` is missing, under which its entries are stored and removed; write \
             `key_prefix = \"project\"`",
        );
    }
    let prefix = args
        .key_prefix
        .get()
        .and_then(|prefix| check::prefix(prefix, errors));
    let none_ttl = duration::life(&args.none_ttl, errors);
    let local_ttl = duration::life(&args.local_ttl, errors);
    if let (Some(local), Some(name)) = (args.local.get(), args.local_ttl.name())
        && !local.value
    {
        errors.at(
            name,
            "`local_ttl` contradicts `local = false`, which keeps nothing locally; remove one of \
             the two",
        );
    }
    if let (Some(Life::Millis(ttl)), Some(Life::Millis(local_ttl)), Some(name)) =
        (&ttl, &local_ttl, args.local_ttl.name())
        && local_ttl > ttl
    {
        errors.at(
            name,
            "`local_ttl` contradicts `ttl`, which is shorter and ends it first; write a \
             `local_ttl` of at most `ttl`, or remove it",
        );
    }
    let mut life = |slot| duration::life(slot, errors);
    let stale_while_revalidate = life(&args.stale_while_revalidate);
    let stale_if_error = life(&args.stale_if_error);
    let retry_after = life(&args.retry_after);
    let load_timeout = life(&args.load_timeout);
    let jitter = check::share(&args.jitter, errors);
    let refresh_ahead = freshness::refresh_ahead(&args.refresh_ahead, errors);
    let beta = freshness::beta(&args.beta, errors);
    freshness::together(args, errors);
    let codec = check::codec(&args.codec, errors);
    Some(Site {
        prefix: prefix?,
        ttl: ttl?,
        none_ttl,
        local_ttl,
        stale_while_revalidate,
        stale_if_error,
        retry_after,
        load_timeout,
        jitter,
        refresh_ahead,
        beta,
        local: args.local.get().map(|local| local.value),
        codec,
        schema: args.schema.get().cloned(),
    })
}
