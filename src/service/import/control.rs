//! What an administrator does with an import that there is: apply its plan, cancel it, undo it.

use entity::{ImportJobId, ImportKind, ImportMode, ImportPhase, ImportStatus, ManageMode, SyncStatus, import_job};
use sea_orm::EntityTrait;

use super::{create::auto_manage_mode, job};
use crate::service::{
    Session,
    csv::Layout,
    db::Tx,
    error::{Error, ErrorCode, Fault, Result},
    organization,
};

async fn find(session: &Session, id: ImportJobId) -> Result<import_job::Model> {
    session.admin()?;
    let found =
        import_job::Entity::find_by_id((session.organization_id(), id)).one(session.services.db.writer()).await?;
    Ok(found.ok_or_else(|| Fault::at(ErrorCode::NotFound, "id", "There is no import with this id."))?)
}

fn wrong_state(message: &str) -> Error {
    Fault::at(ErrorCode::WrongState, "id", message).into()
}

/// What is to be said of an import in a state in which it can't be applied.
fn not_a_plan(job: &import_job::Model) -> Error {
    wrong_state(match (job.mode, job.status) {
        (ImportMode::Apply, _) => "This import was not made with mode PLAN: there is no plan to apply.",
        (_, ImportStatus::Queued | ImportStatus::Running) if job.planned_at.is_none() => {
            "The plan is still being made; wait until the import is PLANNED."
        }
        (_, ImportStatus::Queued | ImportStatus::Running) => "This plan is being applied already.",
        (_, ImportStatus::Completed | ImportStatus::Reverted) => "This plan has been applied already.",
        _ => "This plan can no longer be applied. Import the file again with mode PLAN.",
    })
}

/// Carries out a plan: what it shows, all of it, or nothing.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where there is no plan to apply, or its file is past its life; `AUTO_MANAGE_MODE`.
pub async fn apply(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    let services = &session.services;
    let job = find(session, id).await?;
    let layout: Layout = serde_json::from_str(&job.layout)?;
    let tx = services.db.write(session.organization_id()).await?;
    let job = job::at(&tx, id).await?;
    if job.status != ImportStatus::Planned {
        return Err(not_a_plan(&job));
    }
    if job.file_deleted_at.is_some() || job.rows_deleted_at.is_some() {
        return Err(wrong_state("The plan's file is past its life and was deleted. Import it again with mode PLAN."));
    }
    if job.kind == ImportKind::Users && organization::manage_mode(&tx).await? == ManageMode::Auto {
        return Err(auto_manage_mode().into());
    }
    // Users go in at once; mappings and CRM users are resolved again first.
    let phase = if job.kind == ImportKind::Users { ImportPhase::Publish } else { ImportPhase::Rows };
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("status", ImportStatus::Queued);
    sql.push(", started_at = NULL, finished_at = NULL");
    job::from_the_start(&mut sql, phase, layout.first_row());
    sql.push(" WHERE ").equals("organization_id", tx.organization_id).push(" AND ").equals("id", id);
    tx.execute(sql).await?;
    tx.commit().await?;
    services.work.notify_one();
    Ok(id)
}

/// Stops an import: what is committed stays, the rest is not done.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where it has ended.
pub async fn cancel(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    let services = &session.services;
    find(session, id).await?;
    services.imports.call_off(id);
    // Not under the organisation's lock: whoever carries the import out may have it for long, and touches the job last.
    let tx = services.db.write_beside(session.organization_id()).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("status", ImportStatus::Canceled).push(", ");
    sql.equals("finished_at", tx.now).push(", lease_owner = NULL, lease_until = NULL WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", id);
    sql.push(" AND status IN ('QUEUED', 'RUNNING', 'PLANNED')");
    if tx.execute(sql).await? == 0 {
        return Err(wrong_state("This import has ended already; revertImport undoes what it did."));
    }
    let job = job::at(&tx, id).await?;
    let only_looked = job.planned_at.is_none() && (job.mode == ImportMode::Plan || job::is_all_or_nothing(&job));
    if only_looked || job.planned_at.is_some() && job.phase == ImportPhase::Publish {
        take_back(&tx, &job).await?;
    }
    clear(&tx, &job).await?;
    tx.commit().await?;
    Ok(id)
}

/// What was counted was only looked at.
async fn take_back(tx: &Tx, job: &import_job::Model) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET processed_rows = failed_rows + skipped_rows, created_rows = 0, updated_rows = 0, ");
    sql.push("unchanged_rows = 0, deleted_rows = 0 WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("id", job.id);
    tx.execute(sql).await?;
    Ok(())
}

/// What was staged will not be carried out.
async fn clear(tx: &Tx, job: &import_job::Model) -> Result<()> {
    crate::service::mapping::publish::clear(tx, job.id).await?;
    if let Some(run) = job.sync_run_id {
        crate::service::sync_run::publish::clear(tx, run).await?;
        let mut sql = tx.sql();
        sql.push("UPDATE sync_run SET ").equals("status", SyncStatus::Failed).push(", ").equals("finished_at", tx.now);
        sql.push(", ").equals("error", "The import was canceled.").push(" WHERE ");
        sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", run);
        sql.push(" AND status = 'RUNNING'");
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Undoes what an import did, row by row, where nothing has changed it since.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where it is still at work, did nothing, has been undone, or its rows are past their life.
pub async fn revert(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    let services = &session.services;
    find(session, id).await?;
    let tx = services.db.write(session.organization_id()).await?;
    let job = job::at(&tx, id).await?;
    let refused = match (job.status, job.revert_status) {
        (ImportStatus::Queued | ImportStatus::Running, _) => Some("This import is still at work; cancel it first."),
        (ImportStatus::Reverted, _) => Some("This import has been undone already."),
        (_, Some(ImportStatus::Queued | ImportStatus::Running)) => Some("This import is being undone already."),
        _ if job.created_rows + job.updated_rows + job.deleted_rows == 0 || is_only_planned(&job) => {
            Some("This import changed nothing: there is nothing to undo.")
        }
        _ if job.rows_deleted_at.is_some() => Some("What it takes to undo this import is past its life."),
        _ => None,
    };
    if let Some(message) = refused {
        return Err(wrong_state(message));
    }
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("revert_status", ImportStatus::Queued).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", id);
    tx.execute(sql).await?;
    tx.commit().await?;
    services.work.notify_one();
    Ok(id)
}

/// Whether the counts are those of a plan that was never carried out.
fn is_only_planned(job: &import_job::Model) -> bool {
    job.mode == ImportMode::Plan
        && matches!(job.status, ImportStatus::Planned | ImportStatus::Canceled | ImportStatus::Failed)
}
