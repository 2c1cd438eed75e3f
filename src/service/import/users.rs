//! Rows of a users file (`contract/csv.md`, "Users"): committed chunk by chunk or, where all or nothing is promised, looked
//! through first and then carried out in one transaction.

use entity::{ImportErrorPolicy, ImportPhase, ObjectVisibility, RowOutcome, UserRole};
use tokio_util::sync::CancellationToken;

use super::{
    input::Chunks,
    job::{self, Counts, Task},
    rows::{Keeping, Logged},
    worker::{AskedRow, Work, cells},
};
use crate::service::{
    beside::Beside,
    catalogue::{LicenseRef, ProfileRef},
    csv::{Position, Row, RowFault, users as column},
    db::Tx,
    error::{ErrorCode, Fault, Faults, Result, Step},
    team::TeamRef,
    user::{
        Attributes, Patch, UserRef,
        apply::{Applied, Change, Operation, Options, Outcome, decide, plan},
    },
    value::{email, list},
};

/// After so many lines PostgreSQL has seen that the tables have grown.
const FEW: u64 = 20_000;

/// What clears an attribute.
const CLEAR: &str = "#N/A";

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

pub(super) fn row_fault(fault: Fault) -> RowFault {
    match fault.path.first() {
        Some(Step::Name(field)) => RowFault::at(fault.code, column_of(field), fault.message),
        _ => RowFault::new(fault.code, fault.message),
    }
}

/// A row, and the change that it asks for.
pub(super) struct Asked {
    row: Row,
    /// None of a row that is skipped, that comes to nothing, or that is left out.
    change: Option<Change>,
    faults: Vec<RowFault>,
}

impl AskedRow for Asked {
    fn read(row: Row, first: Option<u64>) -> serde_json::Result<Self> {
        let (mut change, mut faults) = if row.skipped { (None, Vec::new()) } else { parse(&row) };
        if let Some(line) = first {
            // What the rules would say of a second row depends on what the first one did.
            change = None;
            let message =
                format!("Line {line} has the same email; a file can do one thing to a user. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "Email Address", message));
        }
        Ok(Self { row, change, faults })
    }

    async fn take(work: &mut Work<'_>, rows: Vec<Self>, cursor: Position) -> Result<()> {
        let dry = is_dry(work);
        let tx = work.services.db.write_chunk(work.job.organization_id).await?;
        if cursor.line < FEW {
            tx.plan_by_index().await?;
        }
        let counts = take(work, &tx, rows, dry).await?;
        job::advance(&tx, work.job, counts, Some(cursor)).await?;
        tx.commit().await
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
        if let (false, Err(problem)) = (!row.has_cells(), email::parse(&email)) {
            faults.push(RowFault::at(ErrorCode::InvalidEmail, "Email Address", problem.message));
        }
        return (None, faults);
    };
    let attributes = match operation {
        Operation::Add | Operation::Edit => attributes(row, operation, &email, &mut faults),
        _ => Attributes::default(),
    };
    let flawed = !faults.is_empty();
    (Some(Change { user: UserRef::Email(email), operation, attributes, flawed, line: Some(line(row)) }), faults)
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

/// Whether the rows go by without changing anything.
fn is_dry(work: &Work<'_>) -> bool {
    match Task::of(work.job) {
        Task::Plan => true,
        _ => job::is_all_or_nothing(work.job) && work.job.phase == ImportPhase::Rows,
    }
}

/// Goes over rows that were looked at before, for what the later ones depend on.
pub(super) async fn replay(work: &mut Work<'_>, until: Position) -> Result<()> {
    if !is_dry(work) {
        return Ok(());
    }
    let first = work.layout.first_row();
    if first.offset >= until.offset {
        return Ok(());
    }
    let mut chunks = Chunks::<Asked>::from(&work.input, first);
    while let Some((rows, next)) = chunks.next().await? {
        let before = rows.into_iter().filter(|asked| asked.row.offset < until.offset);
        let changes: Vec<Change> = before.filter_map(|asked| asked.change).collect();
        let tx = work.services.db.write(work.job.organization_id).await?;
        plan(&tx, &changes, &options(work), &mut work.overlay).await?;
        if next.offset >= until.offset {
            break;
        }
    }
    Ok(())
}

fn options(work: &Work<'_>) -> Options {
    Options {
        actor: Some(work.job.created_by),
        create_missing_teams: work.job.create_missing_teams,
        import: Some(work.job.id),
        tells_new: Task::of(work.job) != Task::Apply,
        by_crm: false,
    }
}

/// Works rows out and, unless `dry`, carries them out; keeps what the task wants kept.
async fn take(work: &mut Work<'_>, tx: &Tx, mut rows: Vec<Asked>, dry: bool) -> Result<Counts> {
    let options = options(work);
    let changes: Vec<Option<Change>> = rows.iter_mut().map(|asked| asked.change.take()).collect();
    let are_asked: Vec<bool> = changes.iter().map(Option::is_some).collect();
    let changes: Vec<Change> = changes.into_iter().flatten().collect();
    let (decided, done) = if dry {
        (None, plan(tx, &changes, &options, &mut work.overlay).await?)
    } else {
        let (decided, done) = decide(tx, &changes, &options).await?;
        (Some(decided), done)
    };
    // What is kept is put down while what is changed is written.
    let task = Task::of(work.job);
    let keeping = Beside::start(move || {
        let mut done = done.into_iter();
        let done = are_asked.into_iter().map(|is_asked| if is_asked { done.next() } else { None });
        put_down(task, dry, rows.into_iter().zip(done))
    });
    if let Some(decided) = decided {
        decided.write(tx, &options).await?;
    }
    let (mut counts, keeping) = keeping.done().await??;
    counts.stale = keeping.keep(tx, work.job.id).await?;
    Ok(counts)
}

/// Counts rows by what became of them, and puts down those that the task wants kept.
fn put_down(
    task: Task,
    dry: bool,
    rows: impl Iterator<Item = (Asked, Option<Result<Applied, Faults>>)>,
) -> Result<(Counts, Keeping)> {
    // A file that is only checked changes nothing, so that nothing but its failures is to be told.
    let keeps = |outcome| task.keeps(outcome) && (task != Task::Apply || !dry || outcome == RowOutcome::Failed);
    let mut counts = Counts::default();
    let mut kept = Vec::new();
    for (Asked { row, mut faults, .. }, done) in rows {
        let applied = match done {
            Some(Ok(applied)) => applied,
            None if row.skipped => {
                counts.add(RowOutcome::Skipped, 1);
                if keeps(RowOutcome::Skipped) {
                    kept.push(Logged::plain(line(&row), RowOutcome::Skipped, cells(&row)?));
                }
                continue;
            }
            failed => {
                faults.extend(failed.and_then(Result::err).into_iter().flatten().map(row_fault));
                counts.add(RowOutcome::Failed, 1);
                kept.push(Logged::failed(line(&row), cells(&row)?, &faults)?);
                continue;
            }
        };
        let outcome = match applied.outcome {
            Outcome::Created => RowOutcome::Created,
            Outcome::Updated => RowOutcome::Updated,
            Outcome::Unchanged => RowOutcome::Unchanged,
            Outcome::Deleted => RowOutcome::Deleted,
        };
        counts.add(outcome, 1);
        if keeps(outcome) {
            let undo = match applied.undo.filter(|_| !dry) {
                Some(undo) => Some(serde_json::to_string(&undo)?),
                None => None,
            };
            kept.push(Logged::changed(line(&row), outcome, cells(&row)?, &applied.changes)?.with_undo(undo));
        }
    }
    Ok((counts, Keeping::new(task, kept)))
}

pub(super) fn line(row: &Row) -> i64 {
    i64::try_from(row.line).unwrap_or(i64::MAX)
}

/// All rows have gone by.
pub(super) async fn finish(work: &mut Work<'_>, stop: &CancellationToken) -> Result<()> {
    if work.job.phase == ImportPhase::Publish {
        return publish(work, stop).await;
    }
    let tx = work.services.db.write(work.job.organization_id).await?;
    if Task::of(work.job) == Task::Plan || !job::is_all_or_nothing(work.job) {
        job::finish(&tx, work.job, None).await?;
        return tx.commit().await;
    }
    let failed = job::reload(&tx, work.job).await?.failed_rows;
    if failed > 0 {
        job::refuse(&tx, work.job, &job::rejected(failed), failed).await?;
        return tx.commit().await;
    }
    job::start(&tx, work.job, ImportPhase::Publish, work.layout.first_row()).await?;
    tx.commit().await?;
    publish(work, stop).await
}

/// Carries all rows out in one transaction, or none.
async fn publish(work: &mut Work<'_>, stop: &CancellationToken) -> Result<()> {
    let first = work.layout.first_row();
    let tx = work.services.db.write(work.job.organization_id).await?;
    job::reload(&tx, work.job).await?;
    tx.plan_by_index().await?;
    let mut counts = Counts::default();
    let mut end = first;
    let mut chunks = Chunks::<Asked>::from(&work.input, first);
    while let Some((rows, next)) = chunks.next().await? {
        end = next;
        counts.join(&take(work, &tx, rows, false).await?);
        if stop.is_cancelled() {
            drop(tx);
            return work.release().await;
        }
    }
    let rejected = work.job.error_policy == ImportErrorPolicy::RejectFile && counts.failed > 0;
    if counts.stale.rows == 0 && !rejected {
        // The row of the job is touched last, so that an import can be canceled until here.
        job::advance(&tx, work.job, counts, Some(end)).await?;
        job::finish(&tx, work.job, None).await?;
        return tx.commit().await;
    }
    drop(tx);
    let tx = work.services.db.write(work.job.organization_id).await?;
    match (counts.stale.fault(), Task::of(work.job)) {
        (Some(fault), _) => job::refuse(&tx, work.job, &fault, 0).await?,
        (None, Task::ApplyPlan) => job::refuse(&tx, work.job, &job::rejected(counts.failed), counts.failed).await?,
        // Something has moved since the rows were checked: they are checked again, and what fails is kept.
        (None, _) => job::start(&tx, work.job, ImportPhase::Rows, first).await?,
    }
    tx.commit().await
}
