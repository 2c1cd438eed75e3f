//! What undoes an import of mappings, staged as if it were a file.

use entity::MappingId;
use uuid::Uuid;

use super::Stage;
use crate::service::{
    db::{Rows, sql::Kind},
    error::Result,
};

impl Stage<'_> {
    /// Stages, for each mapping that the import made and that holds, what the user had before: the mapping that it took
    /// the place of, or none. The lines of those that have ended since, in no order. Their ids are greater than `after`.
    pub async fn fill_with_inverse(&self, after: Uuid) -> Result<Vec<i64>> {
        let mut sql = self.tx.sql();
        sql.push("INSERT INTO mapping_stage (organization_id, import_job_id, line, operation, user_id, crm_user_id, ");
        sql.push("alias_email, source) SELECT m.organization_id, m.import_job_id, m.import_line, ");
        sql.push("CASE WHEN b.id IS NULL THEN 'REMOVE' ELSE 'REPLACE' END, m.user_id, b.crm_user_id, b.alias_email, ");
        sql.push("b.source FROM mapping m LEFT JOIN mapping b ON b.organization_id = m.organization_id ");
        sql.push("AND b.id = m.replaces_id WHERE ").equals("m.organization_id", self.tx.organization_id);
        sql.push(" AND m.id > ").bind(after).push(" AND ").equals("m.import_job_id", self.job);
        sql.push(" AND m.import_line IS NOT NULL AND m.ended_at IS NULL");
        self.tx.execute(sql).await?;
        let mut sql = self.tx.sql();
        sql.push("SELECT m.import_line FROM mapping m WHERE ").equals("m.organization_id", self.tx.organization_id);
        sql.push(" AND m.id > ").bind(after).push(" AND ").equals("m.import_job_id", self.job);
        sql.push(" AND m.import_line IS NOT NULL AND m.ended_at IS NOT NULL");
        Ok(sql.map(self.tx.connection(), |row| row.try_get("", "import_line")).await?)
    }

    /// Stages mappings that had ended, each with its line, to hold again.
    pub async fn fill_with_ended(&self, ended: &[(i64, MappingId)]) -> Result<()> {
        let mut rows = Rows::new(&[("line", Kind::Int), ("id", Kind::Uuid)]);
        ended.iter().for_each(|(line, id)| rows.add(&[line, id]));
        let mut sql = self.tx.sql();
        sql.push("INSERT INTO mapping_stage (organization_id, import_job_id, line, operation, user_id, crm_user_id, ");
        sql.push("alias_email, source) SELECT b.organization_id, ").bind(self.job);
        sql.push(", r.line, 'ADD', b.user_id, b.crm_user_id, b.alias_email, b.source FROM ").rows(rows);
        sql.push(" AS r JOIN mapping b ON b.id = r.id WHERE ");
        sql.equals("b.organization_id", self.tx.organization_id);
        self.tx.execute(sql).await?;
        Ok(())
    }
}
