//! The worker: claims jobs and works them off, a chunk a transaction. A process that dies loses at most the chunk it was
//! in; whoever claims the job next goes on from its cursor.

use std::{
    fs::File,
    sync::{Arc, Mutex},
    time::Duration,
};

use entity::{ImportKind, ImportPhase, import_job};
use object_store::{GetResultPayload, ObjectStoreExt, path::Path};
use sea_orm::EntityTrait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    crm_users,
    input::{Chunks, Input},
    job::{self, Task},
    mappings, revert, users,
};
use crate::service::{
    Services,
    beside::Beside,
    crm_user::id_kind,
    csv::{Layout, Position, Row},
    error::{Error, ErrorCode, Fault, Result},
    user::apply::Overlay,
    value::external_id::IdKind,
};

/// Rows of a chunk, at most: the more, the more of them share what a transaction writes; but who changes something meanwhile
/// waits for one.
pub const CHUNK_ROWS: usize = 2_000;
/// The tables that what is staged is brought into, and out of.
pub const PUBLISHED: [&str; 7] =
    ["app_user", "crm_user", "crm_user_stage", "mapping", "mapping_stage", "mapping_stage_cells", "user_link"];
/// How often the queue is looked at when nobody wakes the worker.
const IDLE: Duration = Duration::from_secs(2);

/// Works jobs off until `stop`; then finishes the chunk at hand.
pub async fn run(services: Arc<Services>, stop: CancellationToken) {
    let owner = services.clock.id::<Uuid>();
    while !stop.is_cancelled() {
        match step(&services, owner, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the import worker met an error"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = services.work.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}

/// Claims one job and works it off; whether there was one.
pub async fn step(services: &Services, owner: Uuid, stop: &CancellationToken) -> Result<bool> {
    let Some(job) = job::claim(services, owner).await? else { return Ok(false) };
    tracing::info!(import = %job.id.0, rows = job.total_rows, task = ?Task::of(&job), "an import starts");
    let called_off = services.imports.begin(job.id);
    let done = tokio::select! {
        done = work(services, &job, stop) => done,
        () = called_off.cancelled() => Err(Error::superseded()),
        error = stay_alive(services, &job) => Err(error),
    };
    services.imports.end(job.id);
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.is_superseded() => {
            tracing::info!(import = %job.id.0, "an import was taken over, or canceled");
            Ok(true)
        }
        // The database will be back, and the lease is ours until it runs out.
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::error!(%error, import = %job.id.0, "an import failed");
            let tx = services.db.write(job.organization_id).await?;
            let fault = match error {
                Error::Faults(faults) if !faults.is_empty() => faults.into_iter().next(),
                _ => {
                    let message = "An internal error stopped the import after the rows it counts; the log names";
                    Some(Fault::new(ErrorCode::Internal, format!("{message} {}.", job.id.0)))
                }
            };
            job::finish(&tx, &job, fault.as_ref()).await?;
            tx.commit().await?;
            Ok(true)
        }
    }
}

/// Gives signs of life until the job is no longer this worker's; the error that says so.
async fn stay_alive(services: &Services, job: &import_job::Model) -> Error {
    loop {
        tokio::time::sleep(services.db.lease() / 3).await;
        match job::renew(services, job).await {
            Err(error) if error.is_superseded() => return error,
            Err(error) => tracing::warn!(%error, import = %job.id.0, "an import could not give a sign of life"),
            Ok(()) => {}
        }
    }
}

/// Leaves the database to others for as long as the pace asks, after work that began then.
pub async fn pause(services: &Services, begun: Instant, stop: &CancellationToken) {
    let pace = services.limits.import_pace.clamp(1, 100);
    tokio::select! {
        () = tokio::time::sleep(begun.elapsed() * (100 - pace) / pace) => {}
        () = stop.cancelled() => {}
    }
}

/// What a kind of import needs while its rows go by.
pub(super) struct Work<'a> {
    pub services: &'a Services,
    pub job: &'a import_job::Model,
    pub layout: Arc<Layout>,
    pub input: Arc<Mutex<Input>>,
    /// What the rows so far would have done, where they go by without doing it.
    pub overlay: Overlay,
}

/// A row of a kind of import, worked out as far as the file alone tells.
pub(super) trait AskedRow: Sized + Send + 'static {
    /// `first` is the line of an earlier row with the same key.
    fn read(row: Row, first: Option<u64>) -> serde_json::Result<Self>;

    /// Takes a chunk of them in one transaction; `cursor` is where the next one begins.
    fn take(work: &mut Work<'_>, rows: Vec<Self>, cursor: Position) -> impl Future<Output = Result<()>> + Send;
}

async fn work(services: &Services, job: &import_job::Model, stop: &CancellationToken) -> Result<()> {
    // A claim says where the job stood then; since, this worker may have moved it on before the database went away.
    let job = import_job::Entity::find_by_id((job.organization_id, job.id))
        .one(services.db.writer())
        .await?
        .ok_or_else(|| Error::internal("the import is gone"))?;
    if Task::of(&job) == Task::Revert {
        return revert::run(services, &job, stop).await;
    }
    let layout: Arc<Layout> = Arc::new(serde_json::from_str(&job.layout)?);
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    let cursor = Position { offset: unsigned(job.cursor_offset), line: unsigned(job.cursor_line) };
    let file = open(services, &job.file_key).await?;
    let integration = match job.integration_id {
        Some(id) => {
            entity::integration::Entity::find_by_id((job.organization_id, id)).one(services.db.writer()).await?
        }
        None => None,
    };
    let ids = integration.map_or(IdKind::Other, |integration| id_kind(integration.kind));
    let (kind, of_file) = (job.kind, Arc::clone(&layout));
    let input = Beside::start(move || Input::new(file, of_file, kind, ids, cursor)).done().await??;
    let input = Arc::new(Mutex::new(input));
    let mut work = Work { services, job: &job, layout, input, overlay: Overlay::default() };
    if job.phase == ImportPhase::Rows {
        let is_through = match job.kind {
            ImportKind::Users => {
                users::replay(&mut work, cursor).await?;
                work.go_over::<users::Asked>(cursor, stop).await?
            }
            ImportKind::Mappings => work.go_over::<mappings::Asked>(cursor, stop).await?,
            ImportKind::CrmUsers => work.go_over::<crm_users::Asked>(cursor, stop).await?,
        };
        if !is_through {
            return work.release().await;
        }
    }
    if job.kind != ImportKind::Users {
        services.db.look_again(&PUBLISHED).await?;
    }
    match job.kind {
        ImportKind::Users => users::finish(&mut work, stop).await,
        ImportKind::Mappings => mappings::finish(&work).await,
        ImportKind::CrmUsers => crm_users::finish(&work).await,
    }
}

/// The uploaded file: where it lies, or, from a store elsewhere, a copy.
pub(super) async fn open(services: &Services, key: &str) -> Result<File> {
    use futures::TryStreamExt;
    use tokio::io::AsyncWriteExt;

    let found = services.files.get(&Path::from(key)).await.map_err(|error| match error {
        object_store::Error::NotFound { .. } => {
            let message = "The uploaded file is gone from where the server keeps files. Upload it again.";
            Fault::new(ErrorCode::NotFound, message).into()
        }
        error => Error::from(error),
    })?;
    match found.payload {
        GetResultPayload::File(file, _) => Ok(file),
        GetResultPayload::Stream(mut pieces) => {
            let mut copy = tokio::fs::File::from_std(tempfile::tempfile()?);
            while let Some(piece) = pieces.try_next().await? {
                copy.write_all(&piece).await?;
            }
            copy.flush().await?;
            Ok(copy.into_std().await)
        }
    }
}

impl Work<'_> {
    /// Takes the rows from `cursor` on, chunk by chunk; whether it came to the end before it was stopped.
    async fn go_over<T: AskedRow>(&mut self, cursor: Position, stop: &CancellationToken) -> Result<bool> {
        let mut chunks = Chunks::<T>::from(&self.input, cursor);
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let Some((rows, cursor)) = chunks.next().await? else { return Ok(true) };
            T::take(self, rows, cursor).await?;
            pause(self.services, begun, stop).await;
        }
        Ok(false)
    }

    /// Gives the job back unfinished.
    pub async fn release(&self) -> Result<()> {
        let tx = self.services.db.write(self.job.organization_id).await?;
        job::release(&tx, self.job).await?;
        tx.commit().await
    }
}

/// The cells of a row as they stand in the file, as the job keeps them.
pub(super) fn cells(row: &Row) -> serde_json::Result<String> {
    serde_json::to_string(&row.raw)
}
