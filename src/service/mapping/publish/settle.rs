//! What each staged row comes to: the rules of [`settle`](crate::service::mapping::settle), in the database.
//!
//! Joins decide what a row comes to alone. Of several that want one target all but one fail. Then fails whoever wants what
//! somebody keeps, and whoever counts on who fails: that may go on from row to row through all of the file, and is followed
//! in memory, over the lines alone.

use entity::OnExistingMapping;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{ALL, Lines, MAKES, Paged, Pages, Stage};
use crate::service::{
    db::{Rows, Sql, sql::Kind},
    error::{Error, Result},
    mapping::settle::{Wait, fallen},
};

/// Rows that a statement brings along.
const CHUNK: usize = 2_000;

impl Stage<'_> {
    /// Writes beside each row what it comes to.
    pub async fn settle(&self, on_existing: OnExistingMapping) -> Result<()> {
        for lines in self.pieces().await? {
            self.alone(on_existing, *lines).await?;
        }
        self.only_one("user_id", "true", "MIN(s.line)", "verdict = 'DUPLICATE'").await?;
        // Whoever changes no more than the alias keeps the target, whatever the order.
        let wants = format!("verdict {MAKES}");
        let winner =
            "COALESCE(MIN(CASE WHEN s.verdict = 'UPDATED' AND s.other_id = s.user_id THEN s.line END), MIN(s.line))";
        self.only_one("crm_user_id", &wants, winner, "verdict = 'CLAIMED', other_id = r.user_id").await?;
        let mut held = 0;
        for lines in self.pieces().await? {
            held += self.held(*lines).await?;
        }
        if held > 0 {
            self.fall().await?;
        }
        Ok(())
    }

    async fn alone(&self, on_existing: OnExistingMapping, lines: Lines) -> Result<()> {
        let mut sql = self.tx.sql();
        sql.push("UPDATE mapping_stage SET verdict = r.verdict, current_id = r.current_id, other_id = r.other_id");
        if self.keeps_aliases {
            sql.push(", alias_email = r.alias_email");
        }
        sql.push(" FROM (SELECT s.line, m.id AS current_id, h.user_id AS other_id, ");
        sql.push("CASE WHEN s.operation <> 'REMOVE' THEN m.alias_email END AS alias_email, CASE ");
        sql.push("WHEN u.deleted_at IS NOT NULL THEN 'USER_DELETED' WHEN s.operation = 'REMOVE' THEN ");
        sql.push("CASE WHEN m.id IS NULL THEN 'MISSING' WHEN s.crm_user_id <> m.crm_user_id THEN 'MISMATCH' ");
        sql.push("ELSE 'DELETED' END WHEN m.id IS NULL THEN 'CREATED' ");
        if on_existing == OnExistingMapping::Error {
            sql.push("WHEN s.operation = 'ADD' THEN 'EXISTS' ");
        }
        sql.push("WHEN m.source = COALESCE(s.source, 'MANUAL') AND m.crm_user_id = s.crm_user_id ");
        if !self.keeps_aliases {
            sql.push("AND m.alias_email IS NOT DISTINCT FROM s.alias_email ");
        }
        sql.push("THEN 'UNCHANGED' ");
        if on_existing == OnExistingMapping::OverrideAutomatic {
            sql.push("WHEN s.operation = 'ADD' AND m.source = 'MANUAL' THEN 'EXISTS' ");
        }
        sql.push("ELSE 'UPDATED' END AS verdict FROM mapping_stage s ");
        sql.push("JOIN app_user u ON u.organization_id = s.organization_id AND u.id = s.user_id ");
        for (name, column) in [("m", "user_id"), ("h", "crm_user_id")] {
            sql.push(&format!("LEFT JOIN mapping {name} ON {name}.organization_id = s.organization_id AND {name}."));
            sql.equals("integration_id", self.integration.id);
            sql.push(&format!(" AND {name}.{column} = s.{column} AND {name}.ended_at IS NULL "));
        }
        sql.push("WHERE ");
        self.within(&mut sql, "s", lines).push(") AS r WHERE ");
        self.within(&mut sql, "mapping_stage", ALL).push(" AND mapping_stage.line = r.line");
        self.tx.execute(sql).await?;
        Ok(())
    }

    /// Of the rows with the same value of a column, among those of a condition, all but one are told `set`; `first` gives
    /// the line of the one.
    async fn only_one(&self, column: &'static str, condition: &str, first: &str, set: &str) -> Result<()> {
        let mut after = Uuid::nil();
        loop {
            // Of most files there are none, as the index alone tells.
            let mut sql = self.tx.sql();
            sql.push(&format!("SELECT s.{column} AS id FROM mapping_stage s WHERE "));
            self.within(&mut sql, "s", ALL).push(&format!(" AND s.{column} > ")).bind(after);
            sql.push(&format!(" GROUP BY s.{column} HAVING COUNT(*) > 1 ORDER BY s.{column} LIMIT "));
            sql.bind(i64::from(self.step));
            let several: Vec<Uuid> = sql.map(self.tx.connection(), |row| row.try_get("", "id")).await?;
            let Some(last) = several.last() else { return Ok(()) };
            after = *last;
            let mut sql = self.tx.sql();
            sql.push(&format!("SELECT s.{column} AS id, {first} AS line FROM mapping_stage s WHERE "));
            self.within(&mut sql, "s", ALL).push(&format!(" AND {condition} AND "));
            sql.any_id(&format!("s.{column}"), &several);
            sql.push(&format!(" GROUP BY s.{column} HAVING COUNT(*) > 1"));
            let found: Vec<(Uuid, i64)> =
                sql.map(self.tx.connection(), |row| Ok((row.try_get("", "id")?, row.try_get("", "line")?))).await?;
            if found.is_empty() {
                continue;
            }
            let mut firsts = Rows::new(&[("id", Kind::Uuid), ("line", Kind::Int)]);
            found.iter().for_each(|(id, line)| firsts.add(&[id, line]));
            let mut sql = self.tx.sql();
            sql.push(&format!("UPDATE mapping_stage SET {set} FROM (SELECT f.id, f.line, s.user_id FROM "));
            sql.rows(firsts).push(" AS f JOIN mapping_stage s ON s.line = f.line WHERE ");
            self.within(&mut sql, "s", ALL).push(") AS r WHERE ");
            self.within(&mut sql, "mapping_stage", ALL);
            sql.push(&format!(" AND mapping_stage.{column} = r.id AND mapping_stage.line <> r.line AND "));
            sql.push(condition);
            self.tx.execute(sql).await?;
        }
    }

    /// Fails the rows whose target somebody else has and does not give up; how many.
    async fn held(&self, lines: Lines) -> Result<u64> {
        let mut sql = self.tx.sql();
        sql.push("UPDATE mapping_stage AS s SET verdict = 'HELD' WHERE ");
        self.within(&mut sql, "s", lines).push(&format!(" AND s.verdict {MAKES} AND s.other_id <> s.user_id "));
        sql.push("AND NOT EXISTS (SELECT 1 FROM mapping_stage h WHERE h.organization_id = s.organization_id ");
        sql.push("AND h.import_job_id = s.import_job_id AND h.user_id = s.other_id AND (h.verdict = 'DELETED' ");
        sql.push("OR h.verdict = 'UPDATED' AND h.crm_user_id <> s.crm_user_id))");
        self.tx.execute(sql).await
    }

    /// Fails the rows that count on one that fails.
    async fn fall(&self) -> Result<()> {
        let (mut waits, mut failed): (Vec<Wait<u32>>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut pages = Pages::<Waiting>::new(self, "mapping_waits", waiting);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for Waiting { line, on_line, on_fails } in page {
                waits.push(Wait { who: short(line)?, on: short(on_line)? });
                if on_fails {
                    failed.push(short(on_line)?);
                }
            }
        }
        let fallen = fallen(&mut waits, failed);
        drop(waits);
        for chunk in fallen.chunks(CHUNK) {
            let mut lines = Rows::new(&[("line", Kind::Int)]);
            chunk.iter().for_each(|line| lines.add(&[&i64::from(*line)]));
            let mut sql = self.tx.sql();
            sql.push("UPDATE mapping_stage SET verdict = 'HELD' FROM ").rows(lines).push(" AS r WHERE ");
            self.within(&mut sql, "mapping_stage", ALL).push(" AND mapping_stage.line = r.line");
            self.tx.execute(sql).await?;
        }
        Ok(())
    }
}

/// A row that can be had when another gives its target up.
#[derive(FromQueryResult, serde::Deserialize)]
struct Waiting {
    line: i64,
    on_line: i64,
    /// The other has failed.
    on_fails: bool,
}

impl Paged for Waiting {
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("line", Kind::Int), ("on_line", Kind::Int), ("on_fails", Kind::Bool)];
}

fn waiting(stage: &Stage<'_>, sql: &mut Sql, lines: Lines) {
    sql.push(
        "SELECT s.line, h.line AS on_line, h.verdict = 'HELD' AS on_fails FROM mapping_stage s JOIN mapping_stage h ",
    );
    sql.push("ON h.organization_id = s.organization_id AND h.import_job_id = s.import_job_id ");
    sql.push("AND h.user_id = s.other_id AND h.verdict IN ('UPDATED', 'HELD') WHERE ");
    stage.within(sql, "s", lines).push(&format!(" AND s.verdict {MAKES} AND s.other_id <> s.user_id"));
}

/// A million of these are held at once.
fn short(line: i64) -> Result<u32> {
    u32::try_from(line).map_err(|_| Error::internal("a file of more lines than can be counted"))
}
