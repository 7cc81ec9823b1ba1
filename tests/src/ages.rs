//! How many durations there were of which length.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Durations by their length, to three per cent; the longest exactly. The text
/// of one is what another process reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    counts: BTreeMap<u64, u64>,
    longest: u64,
}

impl Ages {
    /// Counts one.
    pub fn add(&mut self, age: Duration) {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        self.longest = self.longest.max(age);
        // Six binary digits are kept.
        let dropped = (u64::BITS - age.leading_zeros()).saturating_sub(6);
        *self.counts.entry(age >> dropped << dropped).or_default() += 1;
    }

    /// Counts those of another one, too.
    pub fn merge(&mut self, other: &Self) {
        self.longest = self.longest.max(other.longest);
        for (age, count) in &other.counts {
            *self.counts.entry(*age).or_default() += count;
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The length that this share of them does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[allow(clippy::cast_sign_loss, reason = "shares and counts are positive")]
        let mut left = (self.count() as f64 * share).ceil() as u64;
        for (age, count) in &self.counts {
            if left <= *count {
                return Duration::from_nanos(*age);
            }
            left -= count;
        }
        self.longest()
    }

    /// The longest of them.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }
}

impl fmt::Display for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.longest)?;
        for (age, count) in &self.counts {
            write!(f, ",{age}:{count}")?;
        }
        Ok(())
    }
}

impl FromStr for Ages {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let longest = parts.next().unwrap_or_default().parse()?;
        let counts = parts.map(|part| {
            let (age, count) = part.split_once(':').unwrap_or((part, ""));
            Ok((age.parse()?, count.parse()?))
        });
        Ok(Self {
            counts: counts.collect::<Result<_, _>>()?,
            longest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near_and_the_longest_is_exact() {
        let mut ages = Ages::default();
        let mut other = Ages::default();
        for age in 1..=1_000 {
            let half = if age % 2 == 0 { &mut ages } else { &mut other };
            half.add(Duration::from_micros(age));
        }
        ages.merge(&other.to_string().parse().unwrap());
        assert_eq!(ages.count(), 1_000);
        assert_eq!(ages.longest(), Duration::from_millis(1));
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.001, 1.0)] {
            let found = ages.quantile(share).as_secs_f64() * 1e6;
            assert!((found / expected - 1.0).abs() < 0.04, "{found} {expected}");
        }
        assert_eq!(ages.to_string().parse(), Ok(ages));
        assert_eq!(Ages::default().quantile(0.5), Duration::ZERO);
    }
}
