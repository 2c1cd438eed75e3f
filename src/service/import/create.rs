//! From an upload to a job in the queue: what is wrong with the whole file is said before there is an import.

use entity::{HeaderMode, ImportJobId, ImportKind, ImportPhase, ImportStatus, IntegrationId, ManageMode, import_job};
use sea_orm::{ActiveModelTrait, Set};

use super::{NewImport, Source, repeat::Repeat, table, upload};
use crate::service::{
    Session,
    beside::Beside,
    csv::{self, Scanned},
    error::{Error, ErrorCode, Fault, Result},
    integration, organization,
};

/// Makes an import of a file. The worker carries it out; its progress is in the job. With an idempotency key that an
/// import was made with already, it is that import, if the same was asked for.
///
/// # Errors
/// `NOT_FOUND` for the integration; `AUTO_MANAGE_MODE`; at `source`: `NOT_CSV`, `NOT_UTF8`, `EMPTY_FILE`, `TOO_LARGE`,
/// `HEADER_MISMATCH`, `STATUS_COLUMNS_NOT_ACCEPTED`; at `idempotencyKey`: `IDEMPOTENCY_CONFLICT`, `INVALID`.
pub async fn create(session: &Session, mut new: NewImport) -> Result<ImportJobId> {
    session.admin()?;
    let services = &session.services;
    let mut repeat = Repeat::of(new.idempotency_key.take())?;
    let integration = match &new.integration {
        Some(named) => {
            Some(integration::locate(services.db.reader(), session.organization_id(), named, "integration").await?.id)
        }
        None => None,
    };
    let digest = repeat.as_ref().map(|_| Repeat::digest(&new, integration));
    let (name, file) = match std::mem::replace(&mut new.source, Source::Text(String::new())) {
        Source::File { name, file } => (name, file),
        Source::Text(text) => (None, upload::spool(text).await?),
    };
    let mode = match new.header_mode {
        HeaderMode::Exact => csv::HeaderMode::Exact,
        HeaderMode::ByName => csv::HeaderMode::ByName,
    };
    let limits = csv::Limits { max_bytes: services.limits.upload_bytes };
    let upload::Seen { file, scanned, digest } = upload::scan(file, table(new.kind), mode, limits, digest).await?;
    if let Some(repeat) = &mut repeat {
        repeat.asked_for(digest, scanned.as_ref().err());
        if let Some(earlier) = repeat.find(services.db.reader(), session.organization_id()).await? {
            return Ok(earlier);
        }
    }
    let scanned = scanned.map_err(|fault| Fault::at(fault.code, "source", fault.message))?;

    let id: ImportJobId = services.clock.id();
    let key = upload::key(session.organization_id(), id);
    upload::store(services, file, &key).await?;
    let file = Stored { name, key: key.clone(), scanned };
    let made = insert(session, id, &new, integration, file, repeat.as_ref()).await;
    match &made {
        Ok(made) if *made == id => services.work.notify_one(),
        // It is another import's, or none. After an internal error it may be this one's all the same, which only the
        // database knows: what belongs to no import is cleaned up later.
        Ok(_) | Err(Error::Faults(_)) => {
            if let Err(error) = upload::discard(services, &key).await {
                tracing::warn!(%error, key, "a file without an import can't be removed");
            }
        }
        Err(_) => {}
    }
    made
}

/// A file in the store, and what was found out about it.
struct Stored {
    name: Option<String>,
    key: String,
    scanned: Scanned,
}

/// Puts the import into the queue, if its key has not made one meanwhile; the import that there is then.
async fn insert(
    session: &Session,
    id: ImportJobId,
    new: &NewImport,
    integration: Option<IntegrationId>,
    Stored { name, key, scanned }: Stored,
    repeat: Option<&Repeat>,
) -> Result<ImportJobId> {
    let tx = session.services.db.write(session.organization_id()).await?;
    // Under the organisation's lock: of two requests with one key, the second sees the first one's import.
    if let Some(repeat) = repeat
        && let Some(earlier) = repeat.find(tx.connection(), tx.organization_id).await?
    {
        return Ok(earlier);
    }
    if new.kind == ImportKind::Users && organization::manage_mode(&tx).await? == ManageMode::Auto {
        return Err(auto_manage_mode().into());
    }
    let first = scanned.layout.first_row();
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    import_job::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        kind: Set(new.kind),
        status: Set(ImportStatus::Queued),
        mode: Set(new.mode),
        error_policy: Set(new.error_policy),
        header_mode: Set(new.header_mode),
        create_missing_teams: Set(new.create_missing_teams),
        on_existing: Set(new.on_existing),
        is_complete: Set(new.is_complete),
        file_name: Set(name.map(|name| name.chars().filter(|c| !c.is_control()).take(255).collect())),
        file_key: Set(key),
        layout: Set(serde_json::to_string(&scanned.layout)?),
        integration_id: Set(integration),
        created_by: Set(session.viewer.user_id),
        created_at: Set(tx.now),
        started_at: Set(None),
        finished_at: Set(None),
        total_rows: Set(signed(scanned.rows)),
        processed_rows: Set(0),
        created_rows: Set(0),
        updated_rows: Set(0),
        unchanged_rows: Set(0),
        deleted_rows: Set(0),
        skipped_rows: Set(0),
        failed_rows: Set(0),
        cursor_offset: Set(signed(first.offset)),
        cursor_line: Set(signed(first.line)),
        lease_owner: Set(None),
        lease_until: Set(None),
        error_code: Set(None),
        error_message: Set(None),
        sync_run_id: Set(None),
        phase: Set(ImportPhase::Rows),
        planned_at: Set(None),
        stale_rows: Set(0),
        stale_line: Set(None),
        idempotency_key: Set(repeat.map(|repeat| repeat.key.clone())),
        content_hash: Set(repeat.and_then(|repeat| repeat.content_hash.clone())),
        revert_status: Set(None),
        revert_cursor: Set(None),
        reverted_rows: Set(0),
        left_alone_rows: Set(0),
        file_deleted_at: Set(None),
        rows_deleted_at: Set(None),
    }
    .insert(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(id)
}

pub(super) fn auto_manage_mode() -> Fault {
    Fault::new(
        ErrorCode::AutoManageMode,
        "In manage mode AUTO users follow the CRM and can't be imported. Change them there, or switch to MANUAL.",
    )
}

/// Runs file work where it does not hold up other requests.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    Ok(Beside::start(work).done().await??)
}
