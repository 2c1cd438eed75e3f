//! How fast an import goes, and how long it will take.

use chrono::Duration;
use entity::{ImportStatus, import_job};

use crate::service::clock::Time;

/// Rows a second since work on the import began, up to its end where it has one. Unknown before the first row, and
/// within the first moments, when a speed would mean nothing.
pub fn rows_per_second(job: &import_job::Model, now: Time) -> Option<f64> {
    let until = match job.status {
        ImportStatus::Running => now,
        ImportStatus::Planned => job.planned_at.or(job.finished_at)?,
        _ => job.finished_at?,
    };
    let took = until - job.started_at?;
    if job.processed_rows == 0 || took < Duration::milliseconds(1) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a speed, for a person")]
    Some(job.processed_rows as f64 * 1000.0 / took.num_milliseconds() as f64)
}

/// Seconds until the rest of the rows is done, at the speed so far; only while the import runs.
pub fn seconds_left(job: &import_job::Model, now: Time) -> Option<i64> {
    if job.status != ImportStatus::Running || job.total_rows == 0 {
        return None;
    }
    let rest = (job.total_rows - job.processed_rows).max(0);
    #[expect(clippy::cast_precision_loss, reason = "an estimate, for a person")]
    let seconds = rest as f64 / rows_per_second(job, now)?;
    // A year and an eternity are the same to whoever waits, and the API's numbers end.
    #[expect(clippy::cast_possible_truncation, reason = "it is cut to what fits")]
    Some(seconds.ceil().min(f64::from(i32::MAX)) as i64)
}
