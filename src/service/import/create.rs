//! From an upload to a job in the queue: what is wrong with the whole file is said before there is an import.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

use entity::{
    HeaderMode, ImportErrorPolicy, ImportJobId, ImportKind, ImportMode, ImportPhase, ImportStatus, ManageMode,
    import_job,
};
use object_store::{ObjectStoreExt, WriteMultipart, path::Path};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};

use super::{NewImport, Source, table};
use crate::service::{
    Services, Session,
    csv::{self, FileFault, Scanned},
    error::{Error, ErrorCode, Fault, Result},
    integration, organization,
};

/// What is in the schema and not carried out by this server.
fn unsupported(field: &'static str, what: &str) -> Error {
    Fault::at(ErrorCode::Invalid, field, format!("{what} is not available on this server yet.")).into()
}

/// Makes an import of a file. The worker carries it out; its progress is in the job.
///
/// # Errors
/// `NOT_FOUND` for the integration; `AUTO_MANAGE_MODE`; at `source`: `NOT_CSV`, `NOT_UTF8`, `EMPTY_FILE`, `TOO_LARGE`,
/// `HEADER_MISMATCH`, `STATUS_COLUMNS_NOT_ACCEPTED`.
pub async fn create(session: &Session, new: NewImport) -> Result<ImportJobId> {
    session.admin()?;
    let services = &session.services;
    let integration = match &new.integration {
        Some(named) => {
            Some(integration::locate(services.db.reader(), session.organization_id(), named, "integration").await?.id)
        }
        None => None,
    };
    if new.mode == ImportMode::Plan {
        return Err(unsupported("mode", "PLAN"));
    }
    if new.error_policy == ImportErrorPolicy::RejectFile {
        return Err(unsupported("errorPolicy", "REJECT_FILE"));
    }
    if new.idempotency_key.is_some() {
        return Err(unsupported("idempotencyKey", "An idempotency key"));
    }
    let (name, file) = match new.source {
        Source::File { name, file } => (name, file),
        Source::Text(text) => (None, spool(text).await?),
    };
    let mode = match new.header_mode {
        HeaderMode::Exact => csv::HeaderMode::Exact,
        HeaderMode::ByName => csv::HeaderMode::ByName,
    };
    let limits = csv::Limits { max_bytes: services.limits.upload_bytes };
    let (file, scanned) = scan(file, table(new.kind), mode, limits).await?;
    let scanned = scanned.map_err(|fault| Fault::at(fault.code, "source", fault.message))?;

    let id: ImportJobId = services.clock.id();
    let key = format!("imports/{}/{}.csv", session.organization_id().0, id.0);
    store(services, file, &key).await?;

    let tx = services.db.write(session.organization_id()).await?;
    if new.kind == ImportKind::Users && organization::manage_mode(&tx).await? == ManageMode::Auto {
        return Err(Fault::new(
            ErrorCode::AutoManageMode,
            "In manage mode AUTO users follow the CRM and can't be imported. Change them there, or switch to MANUAL.",
        )
        .into());
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
        idempotency_key: Set(None),
        content_hash: Set(None),
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
    services.work.notify_one();
    Ok(id)
}

/// A text as a file, so that there is one path for both.
async fn spool(text: String) -> Result<File> {
    blocking(move || {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    })
    .await
}

async fn scan(
    mut file: File,
    table: csv::Kind,
    mode: csv::HeaderMode,
    limits: csv::Limits,
) -> Result<(File, Result<Scanned, FileFault>)> {
    blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        let scanned = csv::scan(&file, table, mode, limits)?;
        Ok((file, scanned))
    })
    .await
}

/// Puts the file into the object store, a piece at a time.
async fn store(services: &Services, mut file: File, key: &str) -> Result<()> {
    const PIECE: usize = 5 * 1024 * 1024;
    file = blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    })
    .await?;
    let upload = services.files.put_multipart(&Path::from(key)).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
    loop {
        let (back, piece) = blocking(move || {
            let mut piece = Vec::new();
            (&file).take(PIECE as u64).read_to_end(&mut piece)?;
            Ok((file, piece))
        })
        .await?;
        file = back;
        if piece.is_empty() {
            break;
        }
        upload.wait_for_capacity(1).await?;
        upload.write(&piece);
    }
    upload.finish().await?;
    Ok(())
}

/// Runs file work where it does not hold up other requests.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Error::internal(format!("file work ended early: {error}"))),
    }
}

async fn refuse(session: &Session, id: ImportJobId, what: &str) -> Result<ImportJobId> {
    session.admin()?;
    import_job::Entity::find_by_id((session.organization_id(), id))
        .one(session.reader())
        .await?
        .ok_or_else(|| Fault::at(ErrorCode::NotFound, "id", "There is no import with this id."))?;
    Err(unsupported("id", what))
}

/// Carries out a plan.
///
/// # Errors
/// `NOT_FOUND`; `INVALID`, as this server makes no plans.
pub async fn apply(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    refuse(session, id, "Applying a plan").await
}

/// Stops an import.
///
/// # Errors
/// `NOT_FOUND`; `INVALID`, as this server can't.
pub async fn cancel(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    refuse(session, id, "Canceling an import").await
}

/// Undoes an import.
///
/// # Errors
/// `NOT_FOUND`; `INVALID`, as this server can't.
pub async fn revert(session: &Session, id: ImportJobId) -> Result<ImportJobId> {
    refuse(session, id, "Reverting an import").await
}
