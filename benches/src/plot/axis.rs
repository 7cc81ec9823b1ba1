//! Where figures lie in a picture, and which of them are written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::Ranged;

/// Where figures lie, and which of them are written.
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) marks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a little more than `most`.
    pub(super) fn from_zero(most: f64, written: fn(f64) -> String) -> Self {
        let top = if most > 0.0 { most * 1.08 } else { 1.0 };
        let marks = steps(top).into_iter();
        Self {
            range: 0.0..top,
            marks: marks.map(|step| (step, written(step))).collect(),
        }
    }

    /// Of the logarithms of `values`, with a mark at every power of ten; if there are
    /// too few to read a figure from, at the least and the greatest value.
    pub(super) fn logarithmic(
        values: impl Iterator<Item = f64>,
        written: fn(f64) -> String,
    ) -> Self {
        let (least, most) = values
            .map(f64::log10)
            .fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        let (least, most) = if least > most {
            (0.0, 1.0)
        } else {
            (least, most)
        };
        let range = least - 0.15..most + 0.15;
        let mut marks = Vec::new();
        let mut decade = range.start.ceil();
        while decade <= range.end {
            marks.push(decade);
            decade += 1.0;
        }
        if marks.len() < 2 {
            marks = vec![least, most];
        }
        Self {
            range,
            marks: marks
                .into_iter()
                .map(|mark| (mark, written(10_f64.powf(mark))))
                .collect(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _most: H) -> Vec<f64> {
        self.marks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let mut marks = self.marks.iter();
        let mark = marks.find(|(at, _)| (at - value).abs() < f64::EPSILON);
        mark.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// Four to ten round figures up to `top`.
fn steps(top: f64) -> Vec<f64> {
    let decade = 10_f64.powf((top / 4.0).log10().floor());
    let step = [5.0, 2.0, 1.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|step| step * 4.0 <= top)
        .unwrap_or(decade);
    (0..=20)
        .map(|count| f64::from(count) * step)
        .take_while(|value| *value <= top)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn steps_are_round() {
        assert_eq!(steps(4.4), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(steps(93.0).last(), Some(&80.0));
    }
}
