//! The log of an import: its failed rows as CSV, the file's own columns first, then why each failed.

use entity::{ImportJobId, OrganizationId, import_job};
use sea_orm::{EntityTrait, FromQueryResult};

use crate::service::{
    Services,
    csv::{Layout, RowFault, Writer, log_header, log_row},
    db::Sql,
    error::{Error, Result},
};

/// Rows read at once.
const CHUNK: i64 = 1_000;

#[derive(FromQueryResult)]
struct Failed {
    line: i64,
    cells: String,
    errors: String,
}

/// Where the log stands between two pieces.
#[derive(Debug)]
pub struct Log {
    job: import_job::Model,
    layout: Layout,
    after: Option<i64>,
}

/// The import, as long as its rows are kept.
async fn find(
    services: &Services,
    organization_id: OrganizationId,
    id: ImportJobId,
) -> Result<Option<import_job::Model>> {
    let found = import_job::Entity::find_by_id((organization_id, id)).one(services.db.reader()).await?;
    Ok(found.filter(|job| job.rows_deleted_at.is_none()))
}

/// Opens the log of an import; `None` when there is no such import, or its rows are not kept any more.
pub async fn open(services: &Services, organization_id: OrganizationId, id: ImportJobId) -> Result<Option<Log>> {
    find(services, organization_id, id)
        .await?
        .map(|job| {
            let layout = serde_json::from_str(&job.layout)?;
            Ok(Log { job, layout, after: None })
        })
        .transpose()
}

impl Log {
    /// The next piece of the file, or `None` after the last. Memory does not grow with the log.
    pub async fn next(&mut self, services: &Services) -> Result<Option<Vec<u8>>> {
        let mut writer = Writer::new(Vec::new());
        let from = match self.after {
            None => {
                writer.row(log_header(&self.layout))?;
                0
            }
            Some(line) => line,
        };
        let mut sql = Sql::new(services.db.backend());
        sql.push("SELECT line, cells, errors FROM import_row WHERE ");
        sql.equals("organization_id", self.job.organization_id).push(" AND ").equals("import_job_id", self.job.id);
        sql.push(" AND outcome = 'FAILED' AND line > ").bind(from).push(" ORDER BY line LIMIT ").bind(CHUNK);
        let rows: Vec<Failed> = sql.all(services.db.reader()).await?;
        if rows.is_empty() && self.after.is_some() {
            // Rows that went meanwhile would be missing from a log that looks whole.
            return match find(services, self.job.organization_id, self.job.id).await? {
                Some(_) => Ok(None),
                None => Err(Error::internal("the log was deleted while it was read")),
            };
        }
        for row in &rows {
            let cells: Vec<String> = serde_json::from_str(&row.cells)?;
            let faults: Vec<RowFault> = serde_json::from_str(&row.errors)?;
            let line = u64::try_from(row.line).unwrap_or_default();
            writer.row(log_row(&self.layout, &cells, line, &faults))?;
        }
        self.after = Some(rows.last().map_or(i64::MAX, |row| row.line));
        Ok(Some(writer.into_inner()?))
    }
}
