//! Columns that line up.

use std::fmt;

use serde_json::{Value, json};

/// A table whose first column is text and whose others are figures.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no row yet.
    pub fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&name| name.to_owned()).collect()],
        }
    }

    /// Adds a row, as long as the header.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells);
    }

    /// Its rows, the header among them.
    pub fn json(&self) -> Value {
        json!(self.rows)
    }

    /// The table that [`json`](Self::json) was made of.
    pub(crate) fn from_json(rows: &Value) -> Option<Self> {
        let rows: Vec<Vec<String>> = serde_json::from_value(rows.clone()).ok()?;
        (!rows.is_empty()).then_some(Self { rows })
    }

    fn width(&self, column: usize) -> usize {
        let widths = self.rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    }

    /// A column in which nobody has anything to say is left out.
    fn is_told(&self, column: usize) -> bool {
        self.rows.iter().skip(1).any(|row| !row[column].is_empty())
    }
}

/// As Markdown, so that a table can be copied into a page.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = (0..self.rows[0].len())
            .filter(|&column| self.is_told(column))
            .map(|column| (column, self.width(column)))
            .collect();
        for (index, row) in self.rows.iter().enumerate() {
            for &(column, width) in &columns {
                if column == 0 {
                    write!(f, "| {:<width$} |", row[column])?;
                } else {
                    write!(f, " {:>width$} |", row[column])?;
                }
            }
            writeln!(f)?;
            if index == 0 {
                for &(column, width) in &columns {
                    let dashes = "-".repeat(width);
                    if column == 0 {
                        write!(f, "|-{dashes}-|")?;
                    } else {
                        write!(f, "-{dashes}:|")?;
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Three digits and a unit: `1.23 M`.
pub fn number(value: f64) -> String {
    scaled(value, &[(1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")])
}

/// Three digits and a unit: `1.23 µs`.
pub fn nanos(value: f64) -> String {
    scaled(
        value,
        &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")],
    )
}

/// `1.23 ×`
pub fn ratio(value: f64) -> String {
    format!("{} ×", digits(value))
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let (unit, name) = units
        .iter()
        // 999.6 has four digits once it is rounded to three.
        .find(|(unit, _)| value >= unit * 0.9995)
        .or(units.last())
        .expect("there are units");
    format!("{}{name}", digits(value / unit))
}

fn digits(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{Table, nanos, number, ratio};

    #[test]
    fn three_digits() {
        assert_eq!(number(0.5), "0.50");
        assert_eq!(number(999.7), "1.00 k");
        assert_eq!(number(123_456.0), "123 k");
        assert_eq!(number(12_345_678.0), "12.3 M");
        assert_eq!(nanos(77.4), "77.4 ns");
        assert_eq!(nanos(1_234.0), "1.23 µs");
        assert_eq!(ratio(9.996), "10.0 ×");
    }

    #[test]
    fn a_table_is_the_same_after_a_way_through_json() {
        let mut table = Table::new(&["name", "a"]);
        table.row(vec!["x".into(), "1".into()]);
        let again = Table::from_json(&table.json()).unwrap();
        assert_eq!(again.to_string(), table.to_string());
    }

    #[test]
    fn an_empty_column_is_left_out() {
        let mut table = Table::new(&["name", "a", "b"]);
        table.row(vec!["x".into(), String::new(), "10 µs".into()]);
        assert_eq!(
            table.to_string(),
            "| name |     b |\n|------|------:|\n| x    | 10 µs |\n"
        );
    }
}
