//! Asking for imports and exports.

use async_graphql::{Context, InputObject, Object, OneofObject, SimpleObject, Upload};

use super::{HeaderMode, ImportErrorPolicy, ImportJob, ImportMode, OnExistingMapping};
use crate::{
    graphql::{
        error::{Result, UserError, outcome},
        id,
        integration::IntegrationRef,
        mapping::MappingFilter,
        payload::{IdInput, payloads},
        scalar::Address,
        session,
        user::UserFilter,
    },
    service::{
        self, Fault, Step,
        clock::Time,
        export,
        import::{self, NewImport, Source},
        mapping, user,
    },
};

payloads! {
    /// What asking for an import answers.
    ImportPayload {
        /// The import, which goes on in the background.
        import_job: ImportJob
    }
}

/// What asking for an export answers.
#[derive(SimpleObject)]
pub struct ExportPayload {
    /// A signed address to download the CSV from, without other credentials, until it expires.
    url: Option<Address>,
    /// When the address expires.
    expires_at: Option<Time>,
    /// Why there is no address.
    user_errors: Vec<UserError>,
}

/// Where the rows come from.
#[derive(OneofObject)]
pub enum ImportSource {
    /// A multipart upload (the GraphQL multipart request convention).
    File(Upload),
    /// The CSV itself.
    Text(String),
}

impl ImportSource {
    fn open(self, ctx: &Context<'_>) -> service::Result<Source> {
        Ok(match self {
            Self::Text(text) => Source::Text(text),
            Self::File(upload) => {
                let upload = upload.value(ctx)?;
                Source::File { name: Some(upload.filename), file: upload.content }
            }
        })
    }
}

/// A users file and how it is taken.
#[derive(InputObject)]
pub struct ImportUsersInput {
    /// The file.
    source: ImportSource,
    /// Whether anything is changed.
    #[graphql(default_with = "ImportMode::Apply")]
    mode: ImportMode,
    /// What one failed row means for the others.
    #[graphql(default_with = "ImportErrorPolicy::SkipFailedRows")]
    error_policy: ImportErrorPolicy,
    /// How strictly the header is read.
    #[graphql(default_with = "HeaderMode::Exact")]
    headers: HeaderMode,
    /// Make teams that a path names and that are not there, with all their parents.
    #[graphql(default = false)]
    create_missing_teams: bool,
    /// A key of the caller's: asking again with it gives the same import.
    idempotency_key: Option<String>,
}

/// A mappings file and how it is taken.
#[derive(InputObject)]
pub struct ImportMappingsInput {
    /// The integration that the mappings are in.
    integration: IntegrationRef,
    /// The file.
    source: ImportSource,
    /// Whether anything is changed.
    #[graphql(default_with = "ImportMode::Apply")]
    mode: ImportMode,
    /// What one failed row means for the others.
    #[graphql(default_with = "ImportErrorPolicy::SkipFailedRows")]
    error_policy: ImportErrorPolicy,
    /// How strictly the header is read.
    #[graphql(default_with = "HeaderMode::Exact")]
    headers: HeaderMode,
    /// What `add` does about a mapping that the user has.
    #[graphql(default_with = "OnExistingMapping::Error")]
    on_existing: OnExistingMapping,
    /// A key of the caller's: asking again with it gives the same import.
    idempotency_key: Option<String>,
}

/// A file of CRM users and how it is taken.
#[derive(InputObject)]
pub struct ImportCrmUsersInput {
    /// The integration whose CRM users they are.
    integration: IntegrationRef,
    /// The file.
    source: ImportSource,
    /// Whether anything is changed.
    #[graphql(default_with = "ImportMode::Apply")]
    mode: ImportMode,
    /// What one failed row means for the others.
    #[graphql(default_with = "ImportErrorPolicy::SkipFailedRows")]
    error_policy: ImportErrorPolicy,
    /// How strictly the header is read.
    #[graphql(default_with = "HeaderMode::ByName")]
    headers: HeaderMode,
    /// The file lists every CRM user: those it leaves out become inactive.
    #[graphql(default = false)]
    is_complete: bool,
    /// A key of the caller's: asking again with it gives the same import.
    idempotency_key: Option<String>,
}

/// Which users to export.
#[derive(Debug, Clone, InputObject)]
pub struct ExportUsersInput {
    /// Only users who meet this; all when left out.
    filter: Option<UserFilter>,
}

/// Which mappings to export.
#[derive(Debug, Clone, InputObject)]
pub struct ExportMappingsInput {
    /// Only mappings that meet this; all that hold when left out.
    filter: Option<MappingFilter>,
}

/// An import with what the three kinds of file don't share left at its default.
fn plain(kind: entity::ImportKind, source: Source) -> NewImport {
    NewImport {
        kind,
        integration: None,
        source,
        mode: entity::ImportMode::Apply,
        error_policy: entity::ImportErrorPolicy::SkipFailedRows,
        header_mode: entity::HeaderMode::Exact,
        create_missing_teams: false,
        on_existing: entity::OnExistingMapping::Error,
        is_complete: false,
        idempotency_key: None,
    }
}

async fn make(ctx: &Context<'_>, new: NewImport) -> Result<ImportPayload> {
    ImportPayload::of(ctx, import::create(session(ctx)?, new).await, |l| &l.import_jobs).await
}

/// The address of an export, or what is wrong with its filter.
fn exported<F>(
    filter: Option<Result<F, Fault>>,
    sign: impl FnOnce(&F) -> service::Result<(url::Url, Time)>,
) -> Result<ExportPayload>
where
    F: Default,
{
    let filter = filter.unwrap_or_else(|| Ok(F::default()));
    let signed = filter.map_err(|fault| fault.under([Step::Name("filter")]).into()).and_then(|filter| sign(&filter));
    let (signed, user_errors) = outcome(signed)?;
    let (url, expires_at) = signed.unzip();
    Ok(ExportPayload { url: url.map(Address), expires_at, user_errors })
}

#[derive(Default)]
pub struct ImportMutation;

#[Object]
impl ImportMutation {
    /// Add, edit, suspend, reactivate or delete the users of a file.
    async fn import_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and how it is taken.")] input: ImportUsersInput,
    ) -> Result<ImportPayload> {
        session(ctx)?.admin()?;
        let new = NewImport {
            mode: input.mode.into(),
            error_policy: input.error_policy.into(),
            header_mode: input.headers.into(),
            create_missing_teams: input.create_missing_teams,
            idempotency_key: input.idempotency_key,
            ..plain(entity::ImportKind::Users, input.source.open(ctx)?)
        };
        make(ctx, new).await
    }

    /// Map the users of a file to CRM users, or end their mappings.
    async fn import_mappings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and how it is taken.")] input: ImportMappingsInput,
    ) -> Result<ImportPayload> {
        session(ctx)?.admin()?;
        let new = NewImport {
            integration: Some(input.integration.into()),
            mode: input.mode.into(),
            error_policy: input.error_policy.into(),
            header_mode: input.headers.into(),
            on_existing: input.on_existing.into(),
            idempotency_key: input.idempotency_key,
            ..plain(entity::ImportKind::Mappings, input.source.open(ctx)?)
        };
        make(ctx, new).await
    }

    /// Upsert the CRM users of a file, and link what can be linked.
    async fn import_crm_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and how it is taken.")] input: ImportCrmUsersInput,
    ) -> Result<ImportPayload> {
        session(ctx)?.admin()?;
        let new = NewImport {
            integration: Some(input.integration.into()),
            mode: input.mode.into(),
            error_policy: input.error_policy.into(),
            header_mode: input.headers.into(),
            is_complete: input.is_complete,
            idempotency_key: input.idempotency_key,
            ..plain(entity::ImportKind::CrmUsers, input.source.open(ctx)?)
        };
        make(ctx, new).await
    }

    /// Carry out an import that was made with mode PLAN: QUEUED again, then COMPLETED, or FAILED with STALE_PLAN and
    /// nothing changed.
    async fn apply_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import.")] input: IdInput,
    ) -> Result<ImportPayload> {
        ImportPayload::of(ctx, import::apply(session(ctx)?, id::read(&input.id)).await, |l| &l.import_jobs).await
    }

    /// Stop an import; what is committed stays.
    async fn cancel_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import.")] input: IdInput,
    ) -> Result<ImportPayload> {
        ImportPayload::of(ctx, import::cancel(session(ctx)?, id::read(&input.id)).await, |l| &l.import_jobs).await
    }

    /// Undo what an import changed, row by row, where nothing has changed it since.
    async fn revert_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The import.")] input: IdInput,
    ) -> Result<ImportPayload> {
        ImportPayload::of(ctx, import::revert(session(ctx)?, id::read(&input.id)).await, |l| &l.import_jobs).await
    }

    /// Get an address to download users from, in the columns that importUsers takes.
    async fn export_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which users.")] input: ExportUsersInput,
    ) -> Result<ExportPayload> {
        let session = session(ctx)?;
        session.admin()?;
        let filter = match input.filter {
            Some(filter) => Some(filter.resolve(ctx).await?),
            None => None,
        };
        exported(filter, |filter: &user::query::Filter| export::users(session, filter))
    }

    /// Get an address to download mappings from, in the columns that importMappings takes.
    async fn export_mappings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which mappings.")] input: ExportMappingsInput,
    ) -> Result<ExportPayload> {
        let session = session(ctx)?;
        session.admin()?;
        let filter = match input.filter {
            Some(filter) => Some(filter.resolve(ctx).await?),
            None => None,
        };
        exported(filter, |filter: &mapping::query::Filter| export::mappings(session, filter))
    }
}
