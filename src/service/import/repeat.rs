//! Requests that come twice: a key of the client's names the import that the first one made.

use entity::{ImportJobId, IntegrationId, OrganizationId};
use sea_orm::{ActiveEnum, ConnectionTrait, FromQueryResult};
use sha2::{Digest, Sha256};

use super::NewImport;
use crate::service::{
    csv::FileFault,
    db::Sql,
    error::{ErrorCode, Fault, Result},
};

const FIELD: &str = "idempotencyKey";
const MAX_CHARACTERS: usize = 255;

/// A request that can be told when it comes again.
pub(super) struct Repeat {
    pub key: String,
    /// SHA-256 of what was asked for and of the file, as [`digest`](Self::digest) begins it; `None` for a file that was
    /// refused, which is no import's.
    pub content_hash: Option<String>,
    /// The file is refused for what the server is set to take, which says nothing about what it holds.
    is_unknown: bool,
}

#[derive(FromQueryResult)]
struct Earlier {
    id: ImportJobId,
    content_hash: Option<String>,
}

impl Repeat {
    /// # Errors
    /// `INVALID`.
    pub fn of(key: Option<String>) -> Result<Option<Self>> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.chars().count() > MAX_CHARACTERS || key.chars().any(char::is_control) {
            let message = format!(
                "An idempotency key has 1 to {MAX_CHARACTERS} characters, none of them a control character: take a new \
                 UUID for each import."
            );
            return Err(Fault::at(ErrorCode::Invalid, FIELD, message).into());
        }
        Ok(Some(Self { key, content_hash: None, is_unknown: false }))
    }

    /// A digest that holds what is asked for, and waits for the file's bytes. The file's name makes no difference.
    pub fn digest(new: &NewImport, integration: Option<IntegrationId>) -> Sha256 {
        let asked = [
            new.kind.to_value(),
            new.mode.to_value(),
            new.error_policy.to_value(),
            new.header_mode.to_value(),
            new.create_missing_teams.to_string(),
            new.on_existing.to_value(),
            new.is_complete.to_string(),
            integration.map(|id| id.0.to_string()).unwrap_or_default(),
        ];
        // None of them holds a line break.
        Sha256::new().chain_update(asked.join("\n")).chain_update("\n")
    }

    /// Keeps what the one pass over the file found out.
    pub fn asked_for(&mut self, digest: Option<Sha256>, refused: Option<&FileFault>) {
        self.is_unknown = refused.is_some_and(|fault| fault.code == ErrorCode::TooLarge);
        let digest = digest.filter(|_| refused.is_none());
        self.content_hash =
            digest.map(|digest| digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }

    /// The import that the key has made already.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT` where it was asked for something else.
    pub async fn find(
        &self,
        db: &impl ConnectionTrait,
        organization_id: OrganizationId,
    ) -> Result<Option<ImportJobId>> {
        if self.is_unknown {
            return Ok(None);
        }
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT id, content_hash FROM import_job WHERE ").equals("organization_id", organization_id);
        sql.push(" AND ").equals("idempotency_key", self.key.as_str());
        match sql.one::<Earlier>(db).await? {
            None => Ok(None),
            Some(earlier) if earlier.content_hash == self.content_hash => Ok(Some(earlier.id)),
            Some(_) => {
                let message = "This key was used for another import: another file, or other options. To ask for that \
                               import again, send the very same; for a new import, take a new key.";
                Err(Fault::at(ErrorCode::IdempotencyConflict, FIELD, message).into())
            }
        }
    }
}
