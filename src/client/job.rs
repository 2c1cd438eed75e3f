//! An import, as the server tells of it.

use std::fmt::Write;

use indicatif::HumanCount;
use serde::Deserialize;

use super::server::UserError;

/// What is asked about an import while it is followed.
pub const PROGRESS: &str = "id status totalRows processedRows created updated unchanged deleted skipped failed \
                            rowsPerSecond secondsLeft error { code message } \
                            revert { status revertedRows leftAlone }";
/// What is asked about its failed rows, once it has ended.
pub const FAILED_ROWS: &str =
    "logUrl rows(first: 20, outcome: [FAILED]) { nodes { line errors { column code message } } }";

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Queued,
    Running,
    Planned,
    Completed,
    Failed,
    Canceled,
    Reverted,
}

impl Status {
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Planned => "planned",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Reverted => "reverted",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: String,
    pub status: Status,
    pub total_rows: Option<u64>,
    pub processed_rows: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
    skipped: u64,
    pub failed: u64,
    pub rows_per_second: Option<f64>,
    pub seconds_left: Option<u64>,
    pub error: Option<Error>,
    pub revert: Option<Revert>,
    pub log_url: Option<String>,
    pub rows: Option<Rows>,
}

#[derive(Debug, Deserialize)]
pub struct Error {
    pub code: String,
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    pub status: Status,
    pub reverted_rows: u64,
    pub left_alone: u64,
}

#[derive(Debug, Deserialize)]
pub struct Rows {
    nodes: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    line: u64,
    errors: Vec<RowError>,
}

#[derive(Debug, Deserialize)]
struct RowError {
    column: Option<String>,
    code: String,
    message: String,
}

impl Job {
    /// What became of it, in lines for a person.
    pub fn summary(&self) -> String {
        let mut text = format!("Import {}: {}.", self.id, self.status.as_str());
        let counts = [
            ("created", self.created),
            ("updated", self.updated),
            ("unchanged", self.unchanged),
            ("deleted", self.deleted),
            ("skipped", self.skipped),
            ("failed", self.failed),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{} {name}", HumanCount(*count)))
            .collect();
        let _ = write!(text, " Rows: {}", HumanCount(self.processed_rows));
        if !counts.is_empty() {
            let _ = write!(text, " ({})", counts.join(", "));
        }
        text.push_str(".\n");
        if let Some(revert) = &self.revert {
            let (reverted, left) = (HumanCount(revert.reverted_rows), HumanCount(revert.left_alone));
            let _ =
                writeln!(text, "Undoing it: {}. Rows undone: {reverted}, left alone: {left}.", revert.status.as_str());
        }
        text
    }

    /// The first failed rows, a line for each thing that is wrong.
    pub fn failed_rows(&self) -> String {
        let Some(rows) = self.rows.as_ref().filter(|rows| !rows.nodes.is_empty()) else { return String::new() };
        let more = if self.failed > rows.nodes.len() as u64 {
            format!(", the first {} of {}", rows.nodes.len(), HumanCount(self.failed))
        } else {
            String::new()
        };
        let mut text = format!("Failed rows{more}:\n");
        for row in &rows.nodes {
            for error in &row.errors {
                let column = error.column.as_ref().map(|column| format!(", {column}")).unwrap_or_default();
                let _ = writeln!(text, "  line {}{column}: {}: {}", row.line, error.code, one_line(&error.message));
            }
        }
        text
    }
}

/// Why there is no such thing as was asked for.
pub fn refused(what: &str, errors: &[UserError]) -> String {
    let errors: Vec<String> = errors
        .iter()
        .map(|error| {
            let field = error.field.as_ref().map(|field| format!(" ({})", field.join("."))).unwrap_or_default();
            format!("{}{field}: {}", error.code, error.message)
        })
        .collect();
    format!("the server refuses {what}: {}", errors.join("; "))
}

/// What comes from a file must not move about on somebody's terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
