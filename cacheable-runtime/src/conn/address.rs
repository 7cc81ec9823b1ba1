//! Where the server is. The password goes in and never comes out.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::io::tcp::{TcpSettings, socket2};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use super::sentinel::{self, Sentinels};
use super::stream::Tls;
use crate::error::{Error, ErrorKind};

#[derive(Clone)]
pub(crate) struct Address {
    /// With sentinels all but the host and port.
    info: ConnectionInfo,
    /// For messages: without user, password and query.
    shown: String,
    /// Who knows where the server is.
    sentinels: Option<Arc<Sentinels>>,
    /// What it is reached by, if the address asks for it and it is known.
    tls: Option<Tls>,
}

/// What was asked for.
pub(crate) enum Server {
    /// Or the primary that sentinels name.
    One(Box<Address>),
    /// Some nodes of a cluster, each of which knows the others.
    Cluster(Vec<Address>),
}

/// What a usable address looks like.
const EXAMPLE: &str = "redis://:password@host:6379/0";
const CLUSTER_EXAMPLE: &str = "redis+cluster://:password@host:6379,another:6379";

impl Server {
    /// Prepares what the address needs beside itself. `ca`: certificates as PEM,
    /// for servers that those of the system do not vouch for.
    pub(crate) fn secure(&mut self, ca: Option<&[u8]>) -> Result<(), Error> {
        let addresses = match self {
            Self::One(address) => std::slice::from_mut(&mut **address),
            Self::Cluster(seeds) => &mut seeds[..],
        };
        if !addresses.iter().any(Address::is_secure) {
            return match ca {
                Some(_) => Err(Error::new(
                    ErrorKind::Configuration,
                    "certificates are named, and the address does not ask for TLS: write rediss://",
                )),
                None => Ok(()),
            };
        }
        let tls = Tls::new(ca)?;
        for address in addresses {
            address.secure(&tls);
        }
        Ok(())
    }

    /// Reads a URL. `setting` is what it is called in errors.
    pub(crate) fn parse(setting: &str, url: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Address::parse(setting, url).map(|address| Self::One(Box::new(address)));
        };
        let plain = match scheme {
            "redis+cluster" => "redis",
            "rediss+cluster" => "rediss",
            "redis+sentinel" | "rediss+sentinel" => {
                let plain = scheme.split('+').next().unwrap_or_default();
                let address = sentinel::parse(setting, scheme, plain, rest)?;
                return Ok(Self::One(Box::new(address)));
            }
            _ => return Address::parse(setting, url).map(|address| Self::One(Box::new(address))),
        };
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Configuration,
                format!("{setting} cannot be used: {why}; write it as {CLUSTER_EXAMPLE}"),
            )
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (nodes, path) = rest.split_at(end);
        // The text behind a wrong `/` may be a part of a password.
        let database = path.split(['?', '#']).next().unwrap_or_default();
        if !matches!(database, "" | "/" | "/0") {
            return Err(wrong(
                "a cluster has only database 0, so nothing comes after the last `/`; in a password write `/` as %2F",
            ));
        }
        let (user, hosts) = match nodes.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), nodes),
        };
        let seed = |host: &str| {
            if host.is_empty() {
                return Err(wrong("one of its hosts is empty"));
            }
            let mut seed = Address::parse(setting, &format!("{plain}://{user}{host}{path}"))?;
            seed.shown = format!("{scheme}://{host}");
            Ok(seed)
        };
        let seeds = hosts.split(',').map(seed).collect::<Result<_, _>>()?;
        Ok(Self::Cluster(seeds))
    }
}

impl Address {
    /// Reads a URL. `setting` is what it is called in errors.
    pub(crate) fn parse(setting: &str, url: &str) -> Result<Self, Error> {
        Self::read(setting, url, EXAMPLE)
    }

    /// [`parse`](Self::parse). `example`: what to write, in errors.
    pub(super) fn read(setting: &str, url: &str, example: &str) -> Result<Self, Error> {
        let wrong = |why: String| {
            Error::new(
                ErrorKind::Configuration,
                format!("{setting} cannot be used: {why}; write it as {example}"),
            )
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("it has no scheme such as redis://".to_owned()));
        };
        match scheme {
            "redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix" => {}
            "rediss" | "valkeys" if cfg!(feature = "tls") => {}
            "rediss" | "valkeys" => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!(
                        "{setting} asks for TLS ({scheme}://), which needs the feature `tls`: \
                         cacheable-runtime = {{ version = \"{}\", features = [\"tls\"] }}",
                        env!("CARGO_PKG_VERSION")
                    ),
                ));
            }
            _ => {
                return Err(wrong(format!(
                    "`{}://` is not a scheme it knows",
                    shown_scheme(scheme)
                )));
            }
        }
        // The client reads the other form alone, unless it does the rest, too.
        let secure = matches!(scheme, "rediss" | "valkeys");
        if secure && rest.contains('#') {
            return Err(wrong(
                "nothing comes after a `#`: the server's name is checked in any case; in a password write `#` as %23".to_owned(),
            ));
        }
        let plain = secure.then(|| format!("redis://{rest}"));
        let url = plain.as_deref().unwrap_or(url);
        let info = url.into_connection_info().map_err(|error| {
            // The client's own words are fixed ones here; its detail may not be.
            wrong(match error.to_string() {
                text if text.contains("database") => "the database after the last `/` is not a number".to_owned(),
                text if text.contains("hostname") => "it names no host".to_owned(),
                text if text.contains("wildcard") => "0.0.0.0 and :: are no addresses to connect to".to_owned(),
                _ => "it is not a URL; in a password write `@` as %40, `/` as %2F, `#` as %23, `%` as %25".to_owned(),
            })
        })?;
        if info.redis_settings().db() < 0 {
            return Err(wrong("the database number is negative".to_owned()));
        }
        let redis = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        // Small commands must not wait for the acknowledgement of others; a
        // peer that vanished is noticed by the kernel, too.
        let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(15));
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(keepalive);
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp);
        Ok(Self {
            info: if secure { over_tls(info) } else { info },
            shown: shown(scheme, rest),
            sentinels: None,
            tls: None,
        })
    }

    /// The same, but where the sentinels say.
    pub(super) fn behind(self, sentinels: Arc<Sentinels>, shown: String) -> Self {
        Self {
            shown,
            sentinels: Some(sentinels),
            ..self
        }
    }

    /// What to connect to now: sentinels are asked for it, for half of
    /// `patience` at most.
    pub(super) async fn locate(&self, patience: Duration) -> Result<ConnectionInfo, Error> {
        let Some(sentinels) = &self.sentinels else {
            return Ok(self.info.clone());
        };
        let (host, port) = sentinels.locate(patience / 2).await?;
        Ok(self.at(&host, port))
    }

    /// Ends when what was [located](Self::locate) is known to be elsewhere by
    /// now, and says so. Without sentinels it never does.
    pub(super) async fn left(&self, info: &ConnectionInfo) -> Error {
        match &self.sentinels {
            Some(sentinels) => sentinels.left(info.addr()).await,
            None => std::future::pending().await,
        }
    }

    /// Until when what was located was the primary for sure. `None`: there are
    /// no sentinels, and it is the server in any case.
    pub(super) fn named(&self, info: &ConnectionInfo) -> Option<Instant> {
        let sentinels = self.sentinels.as_ref()?;
        sentinels.named(info.addr())
    }

    /// Keeps asking sentinels where the server is, for who waits until it is
    /// [left](Self::left).
    pub(super) async fn follow(&self) {
        match &self.sentinels {
            Some(sentinels) => sentinels.follow().await,
            None => std::future::pending().await,
        }
    }

    /// Nobody waits for that any more.
    pub(super) fn close(&self) {
        if let Some(sentinels) = &self.sentinels {
            sentinels.close();
        }
    }

    /// Of a server that is where this says, which is so without sentinels
    /// alone; others [`locate`](Self::locate) it.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_secure(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    fn secure(&mut self, tls: &Tls) {
        if let Some(sentinels) = self.sentinels.as_mut().and_then(Arc::get_mut) {
            sentinels.secure(tls);
        }
        self.tls = Some(tls.clone());
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Without user, password and query.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.info.addr() == other.info.addr()
    }

    /// Of another node of the cluster that this is a node of: reached in the
    /// same way, as the same user.
    pub(super) fn of_node(&self, host: &str, port: u16) -> Self {
        let (scheme, _) = self.shown.split_once("://").unwrap_or_default();
        // An address of six parts has colons of its own.
        let shown = if host.contains(':') {
            format!("{scheme}://[{host}]:{port}")
        } else {
            format!("{scheme}://{host}:{port}")
        };
        Self {
            info: self.at(host, port),
            shown,
            sentinels: None,
            tls: self.tls.clone(),
        }
    }

    /// Of another server, reached in the same way, as the same user.
    pub(super) fn at(&self, host: &str, port: u16) -> ConnectionInfo {
        let mut addr = self.info.addr().clone();
        match &mut addr {
            ConnectionAddr::Tcp(known, at)
            | ConnectionAddr::TcpTls {
                host: known,
                port: at,
                ..
            } => (*known, *at) = (host.to_owned(), port),
            _ => {}
        }
        self.info.clone().set_addr(addr)
    }

    #[cfg(test)]
    pub(super) fn sentinels(&self) -> Option<&Sentinels> {
        self.sentinels.as_deref()
    }
}

/// A scheme that is none may be the beginning of a password.
fn shown_scheme(scheme: &str) -> &str {
    let plausible = scheme.len() <= 16
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'+');
    if plausible { scheme } else { "…" }
}

fn over_tls(info: ConnectionInfo) -> ConnectionInfo {
    let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
        return info;
    };
    info.set_addr(ConnectionAddr::TcpTls {
        host,
        port,
        insecure: false,
        tls_params: None,
    })
}

fn shown(scheme: &str, rest: &str) -> String {
    // The query first: a password in it may hold an `@`.
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{rest}")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(url: &str, expected: &str) {
        let Err(error) = Server::parse("REDIS_URL", url) else {
            panic!("{url} is taken");
        };
        let text = error.to_string();
        assert!(error.is_configuration());
        assert!(text.starts_with("REDIS_URL"), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_bad_address_is_explained_without_its_password() {
        refused("localhost:6379", "no scheme");
        refused("hunter2", "no scheme");
        refused("http://:hunter2@host", "`http://` is not a scheme");
        refused("HUNTER2hunter2://host", "`…://` is not a scheme");
        refused("redis://:hunter2@host/abc", "database");
        refused("redis://:hunter2@host:99999/", "not a URL");
        refused("redis://:hunter2@0.0.0.0/", "0.0.0.0");
        refused("redis+sentinel://:hunter2@a,b", "names no service");
        refused("redis+sentinel://:hunter2@a,b/", "names no service");
        refused("redis+sentinel://:hun#ter2@a,b/s", "names no service");
        refused("redis+sentinel://:hunter2@a,,b/s", "is empty");
        refused("redis+sentinel://:hunter2@/s", "is empty");
        refused("redis+sentinel://:p/hunter2@a,b/s", "write `/` as %2F");
        refused("redis+sentinel://me:1/p/hunter2@a/s", "not a number");
        refused("redis+sentinel://:hunter2@a,b/s/one", "not a number");
        refused("redis+sentinel://:hunter2@a,b/s/-1", "not a number");
        refused("redis+sentinel://:hunter2@a:1,b:x/s", "not a URL");
        refused("redis+sentinel://:hunter2@a:1,b:x/s", "redis+sentinel://");
        refused("redis+sentinel://:hunter2@0.0.0.0/s", "0.0.0.0");
        let typo = "redis+sentinel://a/s?sentinel_pasword=hunter2";
        refused(typo, "sentinel_user and sentinel_password alone");
        let user = "redis+sentinel://:hunter2@a/s?sentinel_user=me";
        refused(user, "without a sentinel_password");
        #[cfg(not(feature = "tls"))]
        refused("rediss+sentinel://:hunter2@host/s", "feature `tls`");
        refused("redis+cluster://:hunter2@a,,b", "is empty");
        refused("redis+cluster://:hunter2@", "is empty");
        refused("redis+cluster://:hunter2@a,b/1", "only database 0");
        refused("redis+cluster://:p/hunter2@a,b", "only database 0");
        refused("redis+cluster://:hunter2@a:1,b:x", "not a URL");
        refused("redis+cluster://:hunter2@0.0.0.0", "0.0.0.0");
        #[cfg(not(feature = "tls"))]
        refused("rediss+cluster://:hunter2@host", "feature `tls`");
        #[cfg(not(feature = "tls"))]
        refused("rediss://:hunter2@host", "feature `tls`");
        #[cfg(feature = "tls")]
        refused("rediss://:hunter2@host/#insecure", "checked in any case");
        #[cfg(feature = "tls")]
        refused("rediss://:hun#ter2@host", "write `#` as %23");
    }

    #[test]
    fn what_is_shown_names_the_server_and_no_secret() {
        for (url, expected) in [
            ("redis://127.0.0.1:7000/2", "redis://127.0.0.1:7000/2"),
            ("redis://me:hunter2@host/1?protocol=resp3", "redis://host/1"),
            ("redis://:hunt%40er2@host", "redis://host"),
            ("unix:///run/r.sock?pass=p@hunter2", "unix:///run/r.sock"),
        ] {
            let address = Address::parse("REDIS_URL", url).unwrap();
            assert_eq!(address.to_string(), expected);
            assert!(!format!("{address:?}").contains("hunt"));
        }
    }

    #[test]
    fn a_cluster_has_several_seeds_and_one_user() {
        let url = "redis+cluster://me:hunt%40er2@a:7000,[::1]:7001,c/0?protocol=resp2";
        let Ok(Server::Cluster(seeds)) = Server::parse("REDIS_URL", url) else {
            panic!("{url} is not taken");
        };
        let shown: Vec<_> = seeds.iter().map(Address::shown).collect();
        let expected = ["a:7000", "[::1]:7001", "c"].map(|host| format!("redis+cluster://{host}"));
        assert_eq!(shown, expected);
        let hosts: Vec<_> = seeds.iter().map(Address::host).collect();
        assert_eq!(hosts, ["a", "::1", "c"]);
        let node = seeds[0].of_node("::2", 7);
        for address in seeds.iter().chain([&node]) {
            let redis = address.info().redis_settings();
            assert_eq!(redis.username(), Some("me"));
            assert_eq!(redis.password(), Some("hunt@er2"));
            assert_eq!(redis.protocol(), ProtocolVersion::RESP3);
            assert!(!format!("{address:?}").contains("hunt"));
        }
        assert_eq!(node.shown(), "redis+cluster://[::2]:7");
        assert!(node.is_same(&seeds[2].of_node("::2", 7)) && !node.is_same(&seeds[1]));
    }

    #[test]
    fn the_wire_is_resp3_without_delay() {
        let address = Address::parse("REDIS_URL", "redis://host?protocol=resp2").unwrap();
        assert_eq!(
            address.info().redis_settings().protocol(),
            ProtocolVersion::RESP3
        );
        assert!(address.info().tcp_settings().nodelay());
    }
}
