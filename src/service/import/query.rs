//! Finding and listing imports and their rows: for administrators.

use std::collections::HashMap;

use entity::{ImportJobId, RowOutcome, import_job, import_row};

use crate::service::{
    Session,
    db::Sql,
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::How,
};

/// The imports of the organisation, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jobs;

/// Which of the rows that an import has kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Rows {
    #[default]
    All,
    /// A plan has them all; once it is carried out, only those that failed, changed or deleted something count.
    Applied,
    /// Those that undoing left as they are.
    LeftAlone,
}

/// The rows that an import has kept, by line; only those of an outcome in the list, where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RowsOfJob {
    pub outcome: Option<Vec<RowOutcome>>,
    pub shows: Rows,
}

impl List for Jobs {
    type Row = import_job::Model;

    fn order(&self) -> Order {
        Order { tag: "import", columns: &[("x.id", KeyKind::Id)], descending: true }
    }

    fn keys(&self, job: &import_job::Model) -> Vec<Key> {
        vec![Key::Id(job.id.0)]
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM import_job x WHERE ").equals("x.organization_id", session.organization_id());
    }
}

impl List for RowsOfJob {
    type Row = import_row::Model;

    fn order(&self) -> Order {
        Order { tag: "import_row", columns: &[("x.line", KeyKind::Number)], descending: false }
    }

    fn keys(&self, row: &import_row::Model) -> Vec<Key> {
        vec![Key::Number(row.line)]
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM import_row x WHERE ").equals("x.organization_id", session.organization_id());
        sql.push(" AND x.import_job_id = p.parent");
        // While they are being deleted, there are none.
        sql.push(" AND NOT EXISTS (SELECT 1 FROM import_job j WHERE j.organization_id = x.organization_id");
        sql.push(" AND j.id = p.parent AND j.rows_deleted_at IS NOT NULL)");
        if let Some(outcome) = &self.outcome {
            sql.push(" AND ").any_name("x.outcome", outcome);
        }
        sql.push(match self.shows {
            Rows::All => "",
            Rows::Applied => " AND x.outcome IN ('FAILED', 'UPDATED', 'DELETED')",
            Rows::LeftAlone => " AND x.revert_error IS NOT NULL",
        });
    }
}

impl Below for RowsOfJob {
    const TABLE: Table = Table { name: "import_row", key: "x.organization_id, x.import_job_id, x.line" };
}

/// The imports of these ids; none for a viewer who is no administrator.
pub async fn by_id(session: &Session, ids: &[ImportJobId]) -> Result<HashMap<ImportJobId, import_job::Model>> {
    if !session.is_admin() {
        return Ok(HashMap::new());
    }
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM import_job x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |job: &import_job::Model| job.id).await
}

/// An import for whoever follows it; what only its worker needs to know is left out.
pub async fn watched(session: &Session, id: ImportJobId) -> Result<Option<import_job::Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM import_job x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").equals("x.id", id);
    let job: Option<import_job::Model> = sql.one(session.reader()).await?;
    Ok(job.map(|job| import_job::Model {
        cursor_offset: 0,
        cursor_line: 0,
        lease_owner: None,
        lease_until: None,
        ..job
    }))
}
