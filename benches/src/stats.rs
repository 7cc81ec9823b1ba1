//! What is left of many samples.

/// The middle of `samples`; of an even number the mean of both. 0 of none.
pub fn median(samples: impl IntoIterator<Item = f64>) -> f64 {
    let sorted = sorted(samples);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        len if len % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Half the distance between the quartiles, as a share of the median: how much
/// the rounds differ. `None` if there are too few to tell.
pub(crate) fn spread(samples: impl IntoIterator<Item = f64>) -> Option<f64> {
    let sorted = sorted(samples);
    let quartile = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    (sorted.len() > 4).then(|| (quartile(3) - quartile(1)) / 2.0 / quartile(2))
}

/// The smallest of `sorted` that `share` of them do not exceed. 0 of none.
pub fn percentile(sorted: &[u32], share: f64) -> u32 {
    #[allow(clippy::cast_sign_loss, reason = "neither factor is negative")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn sorted(samples: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut samples: Vec<_> = samples.into_iter().collect();
    samples.sort_by(f64::total_cmp);
    samples
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn medians() {
        for (samples, expected) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            assert!((median(samples) - expected).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn percentiles_are_samples() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 0.5), 50);
        assert_eq!(percentile(&hundred, 0.99), 99);
        assert_eq!(percentile(&hundred, 1.0), 100);
        assert_eq!(percentile(&[7], 0.99), 7);
        assert_eq!(percentile(&[], 0.5), 0);
    }

    #[test]
    fn the_spread_leaves_out_what_is_far_off() {
        let spread = |samples: &[f64]| super::spread(samples.iter().copied());
        assert_eq!(spread(&[80.0, 90.0, 100.0, 110.0, 5000.0]), Some(0.1));
        assert_eq!(spread(&[90.0, 110.0]), None);
    }
}
