//! What was measured, as a table.

use std::fmt;

#[derive(Default)]
pub struct Report {
    /// The database that is being measured on.
    pub database: &'static str,
    rows: Vec<[String; 5]>,
}

impl Report {
    /// A value that there may be a target for.
    pub fn value(&mut self, measure: &str, value: impl Into<String>, target: Option<&str>, met: Option<bool>) {
        let row = [
            self.database.to_owned(),
            measure.to_owned(),
            value.into(),
            target.unwrap_or_default().to_owned(),
            met.map(|met| if met { "ok" } else { "MISSED" }).unwrap_or_default().to_owned(),
        ];
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }

    /// A number that must be this or less.
    pub fn at_most(&mut self, measure: &str, value: f64, most: f64, unit: &str) {
        self.value(measure, format!("{value:.2}{unit}"), Some(&format!("≤ {most}{unit}")), Some(value <= most));
    }

    /// A number that must be this or more.
    pub fn at_least(&mut self, measure: &str, value: f64, least: f64) {
        self.value(measure, format!("{value:.2}"), Some(&format!("≥ {least}")), Some(value >= least));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["database", "measure", "value", "target", ""].map(str::to_owned);
        let width =
            |i: usize| self.rows.iter().chain([&header]).map(|row| row[i].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut line = |row: &[String; 5]| {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "| {} |", cells.join(" | "))
        };
        line(&header)?;
        line(&widths.map(|width| "-".repeat(width)))?;
        self.rows.iter().try_for_each(line)
    }
}
