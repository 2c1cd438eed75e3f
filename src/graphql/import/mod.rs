//! Imports and their rows.

mod input;
mod mutation;

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject, Subscription};
use entity::{ImportJobId, import_job, import_row};
use futures::{FutureExt, Stream};

use super::{
    error::{ErrorCode, Failure, Result, UserError},
    id,
    integration::Integration,
    loaders,
    page::{Connection, shown},
    scalar::Address,
    session,
    sync_run::SyncRun,
    user::User,
    watches,
};
use crate::service::{
    self,
    clock::Time,
    import::{
        query::{self, Jobs, Rows, RowsOfJob},
        speed,
    },
    links::Download,
    page::PageArgs,
    user::apply,
};

pub use input::{HeaderMode, ImportErrorPolicy, ImportKind, ImportMode, ImportStatus, OnExistingMapping, RowOutcome};
pub use mutation::ImportMutation;

shown! {
    /// An import.
    ImportJob(import_job::Model),
    /// A row of an import.
    ImportRow(import_row::Model),
}

/// A file that is, or was, imported.
#[Object(crate = "crate::graphql::executor")]
impl ImportJob {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the file holds.
    async fn kind(&self) -> ImportKind {
        self.0.kind.into()
    }

    /// Where the import stands.
    async fn status(&self) -> ImportStatus {
        self.0.status.into()
    }

    /// Whether it changes anything.
    async fn mode(&self) -> ImportMode {
        self.0.mode.into()
    }

    /// The name of the uploaded file.
    async fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// The integration that mappings or CRM users are imported to.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Integration>> {
        match self.0.integration_id {
            Some(integration_id) => loaders(ctx)?.integrations.load(integration_id).await,
            None => Ok(None),
        }
    }

    /// Who asked for it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        loaders(ctx)?.users.load(self.0.created_by).await
    }

    /// When it was asked for.
    async fn created_at(&self) -> Time {
        self.0.created_at
    }

    /// When work on it began.
    async fn started_at(&self) -> Option<Time> {
        self.0.started_at
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<Time> {
        self.0.finished_at
    }

    /// Known once the file has been counted.
    async fn total_rows(&self) -> Option<i64> {
        self.total()
    }

    /// Rows that are done.
    async fn processed_rows(&self) -> i64 {
        self.0.processed_rows
    }

    /// Rows that created something.
    async fn created(&self) -> i64 {
        self.0.created_rows
    }

    /// Rows that changed something.
    async fn updated(&self) -> i64 {
        self.0.updated_rows
    }

    /// Rows that found everything as they ask for it.
    async fn unchanged(&self) -> i64 {
        self.0.unchanged_rows
    }

    /// Rows that deleted something.
    async fn deleted(&self) -> i64 {
        self.0.deleted_rows
    }

    /// Rows that ask for nothing.
    async fn skipped(&self) -> i64 {
        self.0.skipped_rows
    }

    /// Rows that failed.
    async fn failed(&self) -> i64 {
        self.0.failed_rows
    }

    /// From 0 to 1.
    async fn progress(&self) -> f64 {
        use entity::ImportStatus::{Completed, Planned, Reverted};
        match self.total() {
            _ if matches!(self.0.status, Completed | Planned | Reverted) => 1.0,
            #[expect(clippy::cast_precision_loss, reason = "a share, for a progress bar")]
            Some(total) => (self.0.processed_rows as f64 / total as f64).clamp(0.0, 1.0),
            None => 0.0,
        }
    }

    /// Rows a second since work on it began; once it has ended, over all. Null before.
    async fn rows_per_second(&self, ctx: &Context<'_>) -> Result<Option<f64>> {
        Ok(speed::rows_per_second(&self.0, session(ctx)?.services.clock.now()))
    }

    /// How many more seconds it will take, at the speed so far. Null before it starts, while that is unknown, and once
    /// it has ended.
    async fn seconds_left(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        Ok(speed::seconds_left(&self.0, session(ctx)?.services.clock.now()))
    }

    /// Every row of a plan. Once applied: the rows that failed, and those that changed or deleted something, with what
    /// they changed; rows that only created something are counted.
    async fn rows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows of one of these outcomes.")] outcome: Option<Vec<RowOutcome>>,
    ) -> Result<Connection<ImportRow>> {
        let outcome = outcome.map(|outcome| outcome.into_iter().map(Into::into).collect());
        let args = PageArgs { first, after, last, before };
        let is_applied = matches!(self.0.status, entity::ImportStatus::Completed | entity::ImportStatus::Reverted);
        let rows = RowsOfJob { outcome, shows: if is_applied { Rows::Applied } else { Rows::All } };
        Connection::below(&loaders(ctx)?.import_rows, rows, self.0.id, args).await
    }

    /// When its rows and its log were deleted, which have a life that the server sets; null while they are kept.
    async fn rows_deleted_at(&self) -> Option<Time> {
        self.0.rows_deleted_at
    }

    /// The failed rows as CSV: the original columns, then why each failed. Null while there are none, and once they are
    /// deleted.
    async fn log_url(&self, ctx: &Context<'_>) -> Result<Option<Address>> {
        if self.0.failed_rows == 0 || self.0.rows_deleted_at.is_some() {
            return Ok(None);
        }
        let session = session(ctx)?;
        let services = &session.services;
        let (url, _) =
            services.links.sign(session.organization_id(), Download::Log(self.0.id), services.clock.now())?;
        Ok(Some(Address(url)))
    }

    /// What stopped the import as a whole.
    async fn error(&self) -> Option<UserError> {
        let code = self.0.error_code.as_ref()?;
        let message = self.0.error_message.clone().unwrap_or_default();
        Some(UserError { code: error_code(code), field: None, message })
    }

    /// The linking that followed an import of CRM users.
    async fn sync_run(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        match self.0.sync_run_id {
            Some(sync_run_id) => loaders(ctx)?.sync_runs.load(sync_run_id).await,
            None => Ok(None),
        }
    }

    /// What revertImport did; null before.
    async fn revert(&self) -> Option<ImportRevert> {
        Some(ImportRevert {
            status: self.0.revert_status?.into(),
            reverted_rows: self.0.reverted_rows,
            left_alone: self.0.left_alone_rows,
            job: self.0.id,
        })
    }
}

impl ImportJob {
    /// A file without rows is refused, so that none counted means that it has not been counted yet.
    fn total(&self) -> Option<i64> {
        (self.0.total_rows > 0).then_some(self.0.total_rows)
    }
}

/// A code as it is stored.
fn error_code(code: &str) -> ErrorCode {
    serde_json::from_value::<service::ErrorCode>(code.into()).unwrap_or(service::ErrorCode::Internal).into()
}

/// What the reverting of an import did.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ImportRevert {
    /// Where the reverting stands.
    status: ImportStatus,
    /// Rows that were undone.
    reverted_rows: i64,
    /// Rows whose target had changed since.
    left_alone: i64,
    #[graphql(skip)]
    job: ImportJobId,
}

#[ComplexObject]
impl ImportRevert {
    /// The rows that were left alone, each with the reason in `revertError`.
    async fn rows_left_alone(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportRow>> {
        let args = PageArgs { first, after, last, before };
        let rows = RowsOfJob { outcome: None, shows: Rows::LeftAlone };
        Connection::below(&loaders(ctx)?.import_rows, rows, self.job, args).await
    }
}

/// A row of a file, and what became of it.
#[Object(crate = "crate::graphql::executor")]
impl ImportRow {
    /// The line of the file that the row starts on; the header is line 1.
    async fn line(&self) -> i64 {
        self.0.line
    }

    /// What became of it.
    async fn outcome(&self) -> RowOutcome {
        self.0.outcome.into()
    }

    /// The cells as they stand in the file.
    async fn values(&self) -> Result<Vec<String>> {
        stored(&self.0.cells)
    }

    /// All that is wrong with it.
    async fn errors(&self) -> Result<Vec<RowError>> {
        Ok(stored::<Vec<StoredError>>(&self.0.errors)?.into_iter().map(row_error).collect())
    }

    /// Why revertImport left it alone.
    async fn revert_error(&self) -> Result<Option<RowError>> {
        self.0.revert_error.as_deref().map(|error| Ok(row_error(stored(error)?))).transpose()
    }

    /// What it changed, or would change.
    async fn changes(&self) -> Result<Vec<FieldChange>> {
        stored(&self.0.changes)
    }
}

/// Reads a column that holds JSON.
fn stored<T: serde::de::DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| Failure::from(service::Error::from(e)))
}

fn row_error(error: StoredError) -> RowError {
    RowError { code: error_code(&error.code), column: error.column, message: error.message }
}

#[derive(serde::Deserialize)]
struct StoredError {
    code: String,
    column: Option<String>,
    message: String,
}

/// Something that is wrong with a row.
#[derive(SimpleObject)]
pub struct RowError {
    /// What kind of failure it is.
    code: ErrorCode,
    /// The column that it is about, as the file's header names it.
    column: Option<String>,
    /// What is wrong and what to do about it, for a person.
    message: String,
}

/// An attribute that a row changed, or would change.
#[derive(SimpleObject, serde::Deserialize)]
pub struct FieldChange {
    /// The attribute.
    field: String,
    /// What it was.
    before: Option<String>,
    /// What it is now.
    after: Option<String>,
}

impl From<apply::FieldChange> for FieldChange {
    fn from(change: apply::FieldChange) -> Self {
        let apply::FieldChange { field, before, after } = change;
        Self { field, before, after }
    }
}

#[derive(Default)]
pub struct ImportQuery;

#[Object]
impl ImportQuery {
    /// An import; null when there is none. For administrators.
    async fn import_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import's id.")] id: ID,
    ) -> Result<Option<ImportJob>> {
        session(ctx)?.admin()?;
        loaders(ctx)?.import_jobs.load(id::read(&id)).await
    }

    /// The organisation's imports, newest first. For administrators.
    async fn import_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportJob>> {
        session(ctx)?.admin()?;
        Connection::of(ctx, Jobs, PageArgs { first, after, last, before }).await
    }
}

#[derive(Default)]
pub struct ImportSubscription;

#[Subscription]
impl ImportSubscription {
    /// The import at each change, the last time when it ends, or when undoing it does. For administrators.
    async fn import_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import's id.")] id: ID,
    ) -> Result<impl Stream<Item = Result<ImportJob>> + use<>> {
        let id: ImportJobId = id::read(&id);
        let session = session(ctx)?.clone();
        session.admin()?;
        let (key, missing) = ((session.organization_id(), id.0), "There is no import with this id.");
        let look = Box::new(move || {
            let session = session.clone();
            async move { Ok(query::watched(&session, id).await?) }.boxed()
        });
        let watches = watches(ctx)?;
        watches
            .imports
            .follow(key, missing, look, |job| {
                use entity::ImportStatus::{Queued, Running};
                !matches!(job.status, Queued | Running) && !matches!(job.revert_status, Some(Queued | Running))
            })
            .await
    }
}
