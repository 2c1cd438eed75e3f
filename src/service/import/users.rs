//! Rows of a users file (`contract/csv.md`, "Users"), committed chunk by chunk.

use entity::{ObjectVisibility, RowOutcome, UserRole};

use super::{
    job::{self, Counts},
    rows::{Logged, log},
    worker::{Work, cells},
};
use crate::service::{
    catalogue::{LicenseRef, ProfileRef},
    csv::{Position, Row, RowFault, users as column},
    error::{ErrorCode, Fault, Result, Step},
    team::TeamRef,
    user::{
        Attributes, Patch, UserRef,
        apply::{Change, Operation, Options, Outcome, apply},
    },
    value::{email, list},
};

/// What clears an attribute.
const CLEAR: &str = "#N/A";

/// The normalised key of a row.
pub(super) fn key(row: &Row) -> Option<String> {
    row.get(column::EMAIL).and_then(|text| email::parse(text).ok())
}

/// The column of the file that a field of the API stands in.
fn column_of(field: &str) -> &'static str {
    match field {
        "user" | "email" => "Email Address",
        "firstName" => "First Name",
        "lastName" => "Last Name",
        "title" => "Title",
        "team" => "Team",
        "role" => "Role",
        "objectVisibility" => "Object Visibility",
        "configurationProfile" => "Configuration Profile",
        "managerOf" => "Manager Of",
        "licenses" => "Licenses",
        _ => "Operation",
    }
}

fn row_fault(fault: Fault) -> RowFault {
    match fault.path.first() {
        Some(Step::Name(field)) => RowFault::at(fault.code, column_of(field), fault.message),
        _ => RowFault::new(fault.code, fault.message),
    }
}

/// A row as a change, and what is wrong with its cells.
fn parse(row: &Row) -> (Option<Change>, Vec<RowFault>) {
    let mut faults = row.faults.clone();
    let text = row.get(column::OPERATION).unwrap_or_default();
    let operation = match text.to_lowercase().as_str() {
        "add" => Some(Operation::Add),
        "edit" => Some(Operation::Edit),
        "suspend" => Some(Operation::Suspend),
        "reactivate" => Some(Operation::Reactivate),
        "delete" => Some(Operation::Delete),
        "" => None,
        _ => {
            let message = format!("{text:?} is not an operation. Write Add, Edit, Suspend, Reactivate or Delete.");
            faults.push(RowFault::at(ErrorCode::InvalidOperation, "Operation", message));
            None
        }
    };
    let email = row.get(column::EMAIL).unwrap_or_default().to_owned();
    let Some(operation) = operation else {
        if let (false, Err(problem)) = (row.cells.iter().all(Option::is_none), email::parse(&email)) {
            faults.push(RowFault::at(ErrorCode::InvalidEmail, "Email Address", problem.message));
        }
        return (None, faults);
    };
    let attributes = match operation {
        Operation::Add | Operation::Edit => attributes(row, operation, &email, &mut faults),
        _ => Attributes::default(),
    };
    let flawed = !faults.is_empty();
    (Some(Change { user: UserRef::Email(email), operation, attributes, flawed }), faults)
}

fn attributes(row: &Row, operation: Operation, email: &str, faults: &mut Vec<RowFault>) -> Attributes {
    let cell = |column: usize| match row.get(column) {
        None | Some("") => Patch::Keep,
        Some(CLEAR) => Patch::Clear,
        Some(text) => Patch::Set(text.to_owned()),
    };
    let role = choice(
        &cell(column::ROLE),
        "Role",
        faults,
        &[
            ("Admin", UserRole::Admin),
            ("Manager", UserRole::Manager),
            ("Member", UserRole::Member),
            ("Data", UserRole::Data),
        ],
    );
    let object_visibility = choice(
        &cell(column::OBJECT_VISIBILITY),
        "Object Visibility",
        faults,
        &[("Full", ObjectVisibility::Full), ("Team", ObjectVisibility::Team)],
    );
    let configuration_profile = match (row.get(column::CONFIGURATION_PROFILE), cell(column::CONFIGURATION_PROFILE)) {
        // As the source says: a blank profile is the default one.
        (Some(""), _) => Patch::Set(ProfileRef::Default),
        (_, cell) => map(cell, ProfileRef::Name),
    };
    Attributes {
        email: if operation == Operation::Add { Patch::Set(email.to_owned()) } else { Patch::Keep },
        first_name: cell(column::FIRST_NAME),
        last_name: cell(column::LAST_NAME),
        title: cell(column::TITLE),
        team: map(cell(column::TEAM), TeamRef::Path),
        role,
        object_visibility,
        configuration_profile,
        manager_of: map(cell(column::MANAGER_OF), |text| list::split(&text).into_iter().map(TeamRef::Path).collect()),
        licenses: map(cell(column::LICENSES), |text| {
            list::split_names(&text).into_iter().map(LicenseRef::Name).collect()
        }),
    }
}

fn map<T, U>(patch: Patch<T>, f: impl FnOnce(T) -> U) -> Patch<U> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(f(value)),
    }
}

/// One of a few names, read without regard to case.
fn choice<T: Copy>(cell: &Patch<String>, column: &str, faults: &mut Vec<RowFault>, choices: &[(&str, T)]) -> Patch<T> {
    match cell {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(text) => {
            let found = choices.iter().find(|(name, _)| name.to_lowercase() == text.to_lowercase());
            found.map_or_else(
                || {
                    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                    let message = format!("{text:?} is not one of {}.", names.join(", "));
                    faults.push(RowFault::at(ErrorCode::Invalid, column, message));
                    Patch::Keep
                },
                |(_, value)| Patch::Set(*value),
            )
        }
    }
}

/// Carries out a chunk of rows in one transaction.
pub(super) async fn chunk(work: &mut Work<'_>, rows: Vec<Row>, cursor: Position) -> Result<()> {
    let mut counts = Counts::default();
    let mut kept = Vec::new();
    let mut changes = Vec::new();
    let mut asked = Vec::new();
    for row in &rows {
        counts.processed += 1;
        if row.skipped {
            counts.skipped += 1;
            continue;
        }
        let (change, mut faults) = parse(row);
        let duplicate = work.first_of_key(row)?;
        if let Some(line) = duplicate {
            let message =
                format!("Line {line} has the same email; a file can do one thing to a user. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "Email Address", message));
        }
        match change {
            // What the rules would say of a second row depends on what the first one did.
            Some(change) if duplicate.is_none() => {
                changes.push(change);
                asked.push((row, faults));
            }
            _ => {
                counts.failed += 1;
                kept.push(Logged::failed(line(row), cells(row)?, &faults)?);
            }
        }
    }
    let tx = work.services.db.write(work.job.organization_id).await?;
    let options = Options { actor: work.job.created_by, create_missing_teams: work.job.create_missing_teams };
    let done = apply(&tx, &changes, &options).await?;
    for ((row, mut faults), done) in asked.into_iter().zip(done) {
        match done {
            Err(more) => {
                faults.extend(more.into_iter().map(row_fault));
                counts.failed += 1;
                kept.push(Logged::failed(line(row), cells(row)?, &faults)?);
            }
            Ok(applied) => match applied.outcome {
                Outcome::Created => counts.created += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::Updated => {
                    counts.updated += 1;
                    kept.push(Logged::changed(line(row), RowOutcome::Updated, cells(row)?, &applied.changes)?);
                }
                Outcome::Deleted => {
                    counts.deleted += 1;
                    kept.push(Logged::changed(line(row), RowOutcome::Deleted, cells(row)?, &applied.changes)?);
                }
            },
        }
    }
    log(&tx, work.job.id, &kept).await?;
    job::advance(&tx, work.job, counts, Some(cursor)).await?;
    tx.commit().await
}

pub(super) fn line(row: &Row) -> i64 {
    i64::try_from(row.line).unwrap_or(i64::MAX)
}

/// All rows are in.
pub(super) async fn finish(work: &Work<'_>) -> Result<()> {
    let tx = work.services.db.write(work.job.organization_id).await?;
    job::finish(&tx, work.job, None).await?;
    tx.commit().await
}
