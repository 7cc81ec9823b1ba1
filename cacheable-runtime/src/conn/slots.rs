//! Which slot of a cluster a key is in, and which node serves it.

use redis::Value;

/// Slots of a cluster.
pub(crate) const SLOTS: usize = 16_384;

/// The slot of a key: of the text between its first `{` and the `}` after it,
/// if there is any, else of all of it.
pub(crate) fn slot(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS as u16
}

/// What the slot goes by, where that is not the whole key. Of a key that is
/// only begun, too: what follows the tag changes nothing.
pub(crate) fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|byte| *byte == b'}')?;
    (close > 0).then(|| &rest[..close])
}

/// CRC-16/XMODEM, which is what servers use.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// Where a node is, as the cluster says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Who serves what. Equal maps route all keys alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// In the order of their first slots.
    pub(super) primaries: Vec<Place>,
    /// The number of the primary of each slot, or [`NOBODY`].
    pub(super) owners: Vec<u16>,
}

pub(super) const NOBODY: u16 = u16::MAX;

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS`. A node that is named by no host is
    /// the one that answered, `asked`. `None`: it is no such answer.
    pub(super) fn read(answer: &Value, asked: &str) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut ranges = ranges
            .iter()
            .map(|range| read_range(range, asked))
            .collect::<Option<Vec<_>>>()?;
        // Servers name them in any order.
        ranges.sort_by_key(|(first, ..)| *first);
        let mut map = Self {
            primaries: Vec::new(),
            owners: vec![NOBODY; SLOTS],
        };
        for (first, last, place) in ranges {
            let known = map.primaries.iter().position(|known| *known == place);
            let number = known.unwrap_or_else(|| {
                map.primaries.push(place);
                map.primaries.len() - 1
            });
            map.owners.get_mut(first..=last)?.fill(number as u16);
        }
        Some(map)
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.owners.contains(&NOBODY)
    }

    /// The slots of a primary, as `CLUSTER NODES` counts them.
    pub(super) fn ranges_of(&self, number: usize) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (slot, owner) in self.owners.iter().enumerate() {
            if usize::from(*owner) != number {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }
}

/// `[first, last, [host, port, …], replicas…]`.
fn read_range(range: &Value, asked: &str) -> Option<(usize, usize, Place)> {
    let Value::Array(fields) = range else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(primary),
        ..,
    ] = &fields[..]
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = &primary[..] else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => "",
        _ => return None,
    };
    let place = Place {
        host: if matches!(host, "" | "?") {
            asked
        } else {
            host
        }
        .to_owned(),
        port: u16::try_from(*port).ok()?,
    };
    let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
    (first <= last).then_some((first, last, place))
}

/// What a node says of itself in `CLUSTER NODES`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Itself {
    pub(super) ranges: Vec<(usize, usize)>,
    /// Keys of some slot are on their way from it, or to it.
    pub(super) migrates: bool,
}

impl Itself {
    /// `None`: it serves no slots, or it is no such answer.
    pub(super) fn read(nodes: &str) -> Option<Self> {
        let mine = |line: &&str| {
            let flags = line.split(' ').nth(2);
            flags.is_some_and(|flags| flags.split(',').any(|flag| flag == "myself"))
        };
        let mut fields = nodes.lines().find(mine)?.split(' ').skip(2);
        if !fields.next()?.split(',').any(|flag| flag == "master") {
            return None;
        }
        let mut itself = Self {
            ranges: Vec::new(),
            migrates: false,
        };
        // Primary, ping, pong, epoch, link.
        for field in fields.skip(5) {
            if field.starts_with('[') {
                itself.migrates = true;
                continue;
            }
            let (first, last) = field.split_once('-').unwrap_or((field, field));
            itself
                .ranges
                .push((first.parse().ok()?, last.parse().ok()?));
        }
        itself.ranges.sort_unstable();
        Some(itself)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_slots_that_servers_say() {
        // From the specification of clusters, and from `CLUSTER KEYSLOT`.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, expected) in [
            ("", 0),
            ("foo", 12182),
            ("bar", 5061),
            ("{user1000}.following", 3443),
            ("{user1000}.followers", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let node = vec![
            Value::BulkString(host.as_bytes().to_vec()),
            Value::Int(port),
            Value::BulkString(b"id".to_vec()),
        ];
        Value::Array(vec![
            Value::Int(first),
            Value::Int(last),
            Value::Array(node.clone()),
            Value::Array(node),
        ])
    }

    #[test]
    fn the_map_is_read_whatever_its_order() {
        let answer = [
            range(8000, 16_383, "10.0.0.2", 7001),
            range(0, 6999, "", 7000),
            range(7001, 7999, "10.0.0.1", 7000),
        ];
        let map = SlotMap::read(&Value::Array(answer.to_vec()), "10.0.0.1").unwrap();
        assert_eq!(map.primaries.len(), 2);
        assert_eq!(map.primaries[0].host, "10.0.0.1");
        assert!(!map.is_complete());
        assert_eq!(
            (map.owners[0], map.owners[7000], map.owners[9000]),
            (0, NOBODY, 1)
        );
        assert_eq!(map.ranges_of(0), [(0, 6999), (7001, 7999)]);
        let reversed: Vec<_> = answer.iter().rev().cloned().collect();
        assert_eq!(
            SlotMap::read(&Value::Array(reversed), "10.0.0.1"),
            Some(map)
        );
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for wrong in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(5, 4, "a", 1)]),
            Value::Array(vec![range(0, 16_384, "a", 1)]),
            Value::Array(vec![range(0, 1, "a", 70_000)]),
            Value::Array(vec![range(-1, 1, "a", 1)]),
        ] {
            assert_eq!(SlotMap::read(&wrong, "a"), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_node_says_what_it_serves_and_what_moves() {
        let nodes = "07c37 127.0.0.1:30004@31004 slave e7d1e 0 1426238317239 4 connected\n\
             e7d1e 127.0.0.1:30001@31001,host myself,master - 0 0 1 connected 9 0-5 [93->-292f8]\n";
        assert_eq!(
            Itself::read(nodes),
            Some(Itself {
                ranges: vec![(0, 5), (9, 9)],
                migrates: true
            })
        );
        assert_eq!(Itself::read("a b myself,slave c 0 0 1 connected"), None);
        assert_eq!(Itself::read(""), None);
    }
}
