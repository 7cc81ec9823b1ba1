//! Pictures of figures: lines over a logarithmic axis, and bars side by side.

mod axis;

use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use self::axis::Axis;
use crate::table::{nanos, number, ratio};

/// What one sees of a path. It is kept with the figures as data, so that the
/// picture can be drawn anew from what was measured.
///
/// ```
/// use benches::{Plot, Unit};
///
/// let svg = Plot::lines("Removal of a prefix", "keys", "time", Unit::Nanos)
///     .series("SCAN by hand", [(1e3, 2.1e6), (1e4, 1.9e7), (1e5, 1.8e8)])
///     .series("clear", [(1e3, 3.0e5), (1e4, 3.1e5), (1e5, 3.0e5)])
///     .svg();
/// assert!(svg.starts_with("<svg"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    title: String,
    x: String,
    y: String,
    unit: Unit,
    log_y: bool,
    /// What stands below each group of bars; empty for lines.
    groups: Vec<String>,
    series: Vec<Series>,
}

/// How the figures of the upright axis are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// `1.23 M`
    Number,
    /// Nanoseconds, as `1.23 µs`.
    Nanos,
    /// `1.23 ×`
    Ratio,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

const SIZE: (u32, u32) = (900, 420);
const FONT: &str = "sans-serif";

/// By Okabe and Ito: also those who see few colours tell them apart.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(140, 140, 140),
    RGBColor(40, 40, 40),
];

impl Plot {
    /// Lines over a logarithmic `x`. Where the figures of one picture lie more than a
    /// factor of 50 apart, the upright axis is logarithmic, too.
    pub fn lines(
        title: impl Into<String>,
        x: impl Into<String>,
        y: impl Into<String>,
        unit: Unit,
    ) -> Self {
        Self {
            title: title.into(),
            x: x.into(),
            y: y.into(),
            unit,
            log_y: false,
            groups: Vec::new(),
            series: Vec::new(),
        }
    }

    /// A group of bars for each of `groups`, in which every series has one.
    pub fn bars<G: Into<String>>(
        title: impl Into<String>,
        y: impl Into<String>,
        unit: Unit,
        groups: impl IntoIterator<Item = G>,
    ) -> Self {
        Self {
            groups: groups.into_iter().map(Into::into).collect(),
            ..Self::lines(title, "", y, unit)
        }
    }

    /// Adds a line through these points. Those that a logarithm has no place for are
    /// left out.
    #[must_use]
    pub fn series(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points.into_iter().filter(|(x, y)| *x > 0.0 && *y > 0.0);
        self.series.push(Series {
            name: name.into(),
            points: points.collect(),
        });
        self.log_y = self.log_y();
        self
    }

    /// Adds a bar to each group; where a group has no figure, `None`.
    #[must_use]
    pub fn bar(
        mut self,
        name: impl Into<String>,
        figures: impl IntoIterator<Item = Option<f64>>,
    ) -> Self {
        let numbered = figures.into_iter().enumerate();
        let points = numbered.filter_map(|(group, figure)| Some((group as f64, figure?)));
        self.series.push(Series {
            name: name.into(),
            points: points.collect(),
        });
        self
    }

    /// The picture, as text that can be a file.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg)
            .expect("drawing into a string does not fail");
        svg
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, (FONT, 18))
            .margin(12)
            .margin_right(24)
            .x_label_area_size(if self.x.is_empty() { 30 } else { 44 })
            .y_label_area_size(84)
            .build_cartesian_2d(self.x_axis(), self.y_axis())?;
        let is_lines = self.groups.is_empty();
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(WHITE)
            .x_desc(&self.x)
            .y_desc(&self.y)
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14));
        if !is_lines {
            mesh.disable_x_mesh();
        }
        mesh.draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            if is_lines {
                self.draw_line(&mut chart, series, colour)?;
            } else {
                self.draw_bars(&mut chart, series, index, colour)?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .label_font((FONT, 13))
            .draw()?;
        root.present()?;
        Ok(())
    }

    fn draw_line(&self, chart: &mut Chart<'_, '_>, series: &Series, colour: RGBColor) -> Drawn {
        let points = || {
            series
                .points
                .iter()
                .map(|(x, y)| (x.log10(), self.high(*y)))
        };
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(&series.name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled()));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
        Ok(())
    }

    /// A fifth of a group's place is left free.
    fn draw_bars(
        &self,
        chart: &mut Chart<'_, '_>,
        series: &Series,
        index: usize,
        colour: RGBColor,
    ) -> Drawn {
        let width = 0.8 / self.series.len() as f64;
        let left = |group: f64| group - 0.4 + width * index as f64;
        let bars = series.points.iter().map(|(group, figure)| {
            let left = left(*group);
            Rectangle::new(
                [(left, 0.0), (left + width * 0.92, *figure)],
                colour.filled(),
            )
        });
        chart
            .draw_series(bars)?
            .label(&series.name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled()));
        Ok(())
    }

    fn x_axis(&self) -> Axis {
        if self.groups.is_empty() {
            return Axis::logarithmic(self.points().map(|(x, _)| x), number);
        }
        let groups = self.groups.len() as f64;
        let centres = self.groups.iter().enumerate();
        Axis {
            // The legend stands to the right of the bars.
            range: -0.5..groups * 1.35 - 0.5,
            marks: centres
                .map(|(group, name)| (group as f64, name.clone()))
                .collect(),
        }
    }

    fn y_axis(&self) -> Axis {
        let figures = self.points().map(|(_, y)| y);
        let written = match self.unit {
            Unit::Number => number,
            Unit::Nanos => nanos,
            Unit::Ratio => ratio,
        };
        if self.log_y {
            return Axis::logarithmic(figures, written);
        }
        Axis::from_zero(figures.fold(0.0, f64::max), written)
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.series.iter().flat_map(|series| series.points.clone())
    }

    fn log_y(&self) -> bool {
        let (least, most) = self
            .points()
            .map(|(_, y)| y)
            .fold((f64::MAX, 0.0_f64), |(least, most), y| {
                (least.min(y), most.max(y))
            });
        most > least * 50.0
    }

    fn high(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plot, Unit};

    fn bars() -> Plot {
        Plot::bars("hits", "per second", Unit::Number, ["1 task", "64 tasks"])
            .bar("ours", [Some(2e6), Some(3e6)])
            .bar("theirs", [Some(1e6), None])
    }

    #[test]
    fn every_name_and_group_is_written() {
        let svg = bars().svg();
        for text in ["hits", "per second", "ours", "theirs", "1 task", "64 tasks"] {
            assert!(svg.contains(text), "{text} is missing in {svg}");
        }
    }

    /// A bar that is twice as high is drawn twice as high.
    #[test]
    fn bars_are_as_high_as_their_figures() {
        let heights = |plot: &Plot| -> Vec<u32> {
            let svg = plot.svg();
            let bars = svg.lines().filter(|line| line.contains("#0072B2"));
            let height = |line: &str| {
                line.split("height=\"")
                    .nth(1)?
                    .split('"')
                    .next()?
                    .parse()
                    .ok()
            };
            bars.filter_map(height)
                .filter(|height| *height > 8)
                .collect()
        };
        let plot = Plot::bars("", "", Unit::Nanos, ["a", "b"]).bar("x", [Some(50.0), Some(100.0)]);
        let [low, high] = heights(&plot)[..] else {
            panic!("not two bars: {:?}", heights(&plot));
        };
        assert!(high.abs_diff(2 * low) <= 2, "{low} and {high}");
    }

    #[test]
    fn lines_far_apart_have_a_logarithmic_axis() {
        let near = Plot::lines("", "x", "y", Unit::Nanos).series("a", [(1.0, 10.0), (9.0, 20.0)]);
        assert!(!near.log_y);
        let far = near.series("b", [(1.0, 1e6)]);
        assert!(far.log_y);
        assert!(far.svg().contains("100 ns"));
    }

    #[test]
    fn a_picture_is_the_same_after_a_way_through_json() {
        let json = serde_json::to_value(bars()).unwrap();
        let again: Plot = serde_json::from_value(json).unwrap();
        assert_eq!(again.svg(), bars().svg());
    }

    #[test]
    fn an_empty_picture_is_one() {
        assert!(
            Plot::lines("nothing", "x", "y", Unit::Ratio)
                .svg()
                .contains("nothing")
        );
        let none: [&str; 0] = [];
        assert!(
            Plot::bars("nothing", "y", Unit::Ratio, none)
                .svg()
                .contains("nothing")
        );
    }
}
