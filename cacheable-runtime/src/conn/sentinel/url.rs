//! What an address says of sentinels.

use std::sync::Arc;

use redis::ProtocolVersion;

use super::super::address::Address;
use super::Sentinels;
use crate::error::{Error, ErrorKind};

const EXAMPLE: &str = "redis+sentinel://:password@sentinel:26379,another:26379/service/0";

/// Where a sentinel listens unless it is said.
const PORT: u16 = 26_379;

/// Reads `[[user]:password@]host[:port],host[:port]…/service[/database]`, with
/// `?sentinel_user=…&sentinel_password=…`. `plain`: the scheme of one server
/// that is reached in the same way.
pub(in super::super) fn parse(
    setting: &str,
    scheme: &str,
    plain: &str,
    rest: &str,
) -> Result<Address, Error> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::Configuration,
            format!("{setting} cannot be used: {why}; write it as {EXAMPLE}"),
        )
    };
    let (rest, fragment) = split(rest, '#');
    let (rest, query) = split(rest, '?');
    let (nodes, path) = split(rest, '/');
    let (user, hosts) = match nodes.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), nodes),
    };
    let (service, database) = split(path, '/');
    if service.is_empty() {
        return Err(wrong(
            "it names no service, which is what `sentinel monitor` calls the primary",
        ));
    }
    // Text behind a wrong `/` may be a part of a password.
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !service.bytes().all(is_usual) {
        return Err(wrong(
            "a service is letters, digits, `-`, `.` and `_`; in a password write `/` as %2F",
        ));
    }
    if !database.is_empty() && database.parse::<u32>().is_err() {
        return Err(wrong("the database after the service is not a number"));
    }
    let (mut sentinel_user, mut password, mut others) = ("", "", String::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("sentinel_user", value) => sentinel_user = value,
            ("sentinel_password", value) => password = value,
            (name, _) if name.starts_with("sentinel") => {
                return Err(wrong(
                    "of sentinels it knows sentinel_user and sentinel_password alone",
                ));
            }
            _ => {
                others.push(if others.is_empty() { '?' } else { '&' });
                others.push_str(pair);
            }
        }
    }
    if password.is_empty() && !sentinel_user.is_empty() {
        return Err(wrong("it has a sentinel_user without a sentinel_password"));
    }
    let login = match (as_user(sentinel_user), as_user(password)) {
        (_, password) if password.is_empty() => String::new(),
        (user, password) => format!("{user}:{password}@"),
    };
    let fragment = match fragment {
        "" => String::new(),
        fragment => format!("#{fragment}"),
    };
    let hosts: Vec<String> = hosts.split(',').map(with_port).collect();
    if hosts.iter().any(|host| host.starts_with(':')) {
        return Err(wrong("one of its hosts is empty"));
    }
    let read = |url: String| Address::read(setting, &url, EXAMPLE);
    let sentinel = |host: &String| {
        let sentinel = read(format!("{plain}://{login}{host}/{fragment}"))?;
        let redis = sentinel.info().redis_settings().clone();
        // It pushes nothing here.
        let redis = redis.set_protocol(ProtocolVersion::RESP2);
        Ok(sentinel.info().clone().set_redis_settings(redis))
    };
    let sentinels = hosts.iter().map(sentinel).collect::<Result<_, Error>>()?;
    // Of its host and port nothing is used.
    let host = &hosts[0];
    let server = read(format!(
        "{plain}://{user}{host}/{database}{others}{fragment}"
    ))?;
    let (_, shown) = rest.rsplit_once('@').unwrap_or(("", rest));
    let sentinels = Arc::new(Sentinels::new(service.to_owned(), sentinels));
    Ok(server.behind(sentinels, format!("{scheme}://{shown}")))
}

fn split(text: &str, at: char) -> (&str, &str) {
    text.split_once(at).unwrap_or((text, ""))
}

fn with_port(host: &str) -> String {
    // An address of six parts has colons of its own, within brackets.
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    if behind.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{PORT}")
    }
}

/// What stands behind the `?`, as it is written before the `@`.
fn as_user(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        match c {
            '/' => written.push_str("%2F"),
            ':' => written.push_str("%3A"),
            '?' => written.push_str("%3F"),
            '@' => written.push_str("%40"),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use redis::{ConnectionAddr, ConnectionInfo};

    use super::super::super::address::Server;
    use super::*;

    fn address(url: &str) -> Address {
        match Server::parse("REDIS_URL", url) {
            Ok(Server::One(address)) => *address,
            _ => panic!("{url} is not taken"),
        }
    }

    fn parts(info: &ConnectionInfo) -> (String, u16, Option<&str>, Option<&str>, i64) {
        let (ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }) =
            info.addr()
        else {
            panic!("it has a host");
        };
        let redis = info.redis_settings();
        let (user, password) = (redis.username(), redis.password());
        (host.clone(), *port, user, password, redis.db())
    }

    #[test]
    fn servers_and_sentinels_have_users_of_their_own() {
        let address = address(
            "redis+sentinel://me:hunt%40er2@a:7000,[::1],c/my-service.1/3\
             ?protocol=resp2&sentinel_user=guard&sentinel_password=hunt/%3F@er3",
        );
        let sentinels = address.sentinels().expect("it has some");
        assert_eq!(sentinels.service, "my-service.1");
        let asked: Vec<_> = sentinels.asked.iter().map(|one| parts(&one.info)).collect();
        let expected = [("a", 7000), ("::1", 26_379), ("c", 26_379)];
        let login = (Some("guard"), Some("hunt/?@er3"));
        let expected = expected.map(|(host, port)| (host.to_owned(), port, login.0, login.1, 0));
        assert_eq!(asked, expected);
        let server = address.at("::2", 7);
        let expected = ("::2".to_owned(), 7, Some("me"), Some("hunt@er2"), 3);
        assert_eq!(parts(&server), expected);
        let protocol = server.redis_settings().protocol();
        assert_eq!(protocol, ProtocolVersion::RESP3);
        let shown = "redis+sentinel://a:7000,[::1],c/my-service.1/3";
        assert_eq!(address.to_string(), shown);
        assert!(!format!("{address:?}").contains("hunt"));
    }

    #[test]
    fn what_is_left_out_is_not_there() {
        let address = address("redis+sentinel://a/service");
        let sentinels = address.sentinels().expect("it has some");
        let expected = ("a".to_owned(), 26_379, None, None, 0);
        assert_eq!(parts(&sentinels.asked[0].info), expected);
        assert_eq!(
            parts(&address.at("b", 1)),
            ("b".to_owned(), 1, None, None, 0)
        );
        assert_eq!(address.to_string(), "redis+sentinel://a/service");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn with_tls_sentinels_and_servers_are_reached_by_it() {
        let address = address("rediss+sentinel://a/service");
        let sentinels = address.sentinels().expect("it has some");
        for info in [&sentinels.asked[0].info, &address.at("b", 1)] {
            let by_it = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
            assert!(by_it, "{:?}", info.addr());
        }
    }
}
