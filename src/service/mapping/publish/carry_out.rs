//! Makes and ends the mappings that the settled rows ask for, and links whoever is touched by it.

use entity::{Email, MappingId, MappingSource, UserId, UserStatus};
use sea_orm::FromQueryResult;

use super::{ALL, ENDS, Lines, MAKES, Paged, Pages, Stage};
use crate::service::{
    beside::Beside,
    clock::Clock,
    db::{Rows, Sql, sql::Kind},
    error::{Error, Result},
    link::{self, Mapped, Subject},
    linking::{self, Touched, full_name},
    mapping::carry_out::Author,
};

/// What a new mapping's warnings depend on.
#[derive(FromQueryResult, serde::Deserialize)]
struct Making {
    line: i64,
    email: Email,
    crm_email: Option<Email>,
    first_name: Option<String>,
    last_name: Option<String>,
    status: UserStatus,
    crm_name: Option<String>,
    crm_is_active: bool,
    source: MappingSource,
}

impl Paged for Making {
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("line", Kind::Int),
        ("email", Kind::Text),
        ("crm_email", Kind::Text),
        ("first_name", Kind::Text),
        ("last_name", Kind::Text),
        ("status", Kind::Text),
        ("crm_name", Kind::Text),
        ("crm_is_active", Kind::Bool),
        ("source", Kind::Text),
    ];
}

fn making(stage: &Stage<'_>, sql: &mut Sql, lines: Lines) {
    sql.push("SELECT s.line, u.email, u.first_name, u.last_name, u.status, c.email AS crm_email, c.name AS crm_name, ");
    sql.push("c.is_active AS crm_is_active, COALESCE(s.source, 'MANUAL') AS source FROM mapping_stage s ");
    sql.push("JOIN app_user u ON u.organization_id = s.organization_id AND u.id = s.user_id ");
    sql.push("JOIN crm_user c ON c.organization_id = s.organization_id AND c.id = s.crm_user_id WHERE ");
    stage.within(sql, "s", lines).push(&format!(" AND s.verdict {MAKES} ORDER BY s.line"));
}

/// Whoever may stand otherwise than before, having no mapping by hand now: those whose mapping was removed, and those
/// who have the email of a CRM user that was taken, or freed and not taken again.
#[derive(FromQueryResult, serde::Deserialize)]
struct Concerned {
    id: UserId,
}

impl Paged for Concerned {
    const COLUMNS: &'static [(&'static str, Kind)] = &[("id", Kind::Uuid)];
}

fn concerned(stage: &Stage<'_>, sql: &mut Sql, lines: Lines) {
    sql.push("SELECT s.user_id AS id FROM mapping_stage s WHERE ");
    stage.within(sql, "s", lines).push(" AND s.verdict = 'DELETED'");
    let taken = "JOIN crm_user c ON c.organization_id = s.organization_id AND c.id = s.crm_user_id".to_owned();
    let freed = format!(
        "JOIN mapping b ON b.organization_id = s.organization_id AND b.id = s.current_id AND NOT EXISTS (SELECT 1 \
         FROM mapping_stage t WHERE t.organization_id = s.organization_id AND t.import_job_id = s.import_job_id \
         AND t.crm_user_id = b.crm_user_id AND t.verdict {MAKES}) \
         JOIN crm_user c ON c.organization_id = b.organization_id AND c.id = b.crm_user_id"
    );
    for (verdicts, crm_user) in [(MAKES, taken), (ENDS, freed)] {
        sql.push(" UNION SELECT u.id FROM mapping_stage s ").push(&crm_user);
        sql.push(" JOIN app_user u ON u.organization_id = c.organization_id AND u.email = c.email ");
        sql.push("AND u.deleted_at IS NULL LEFT JOIN mapping m ON m.organization_id = u.organization_id AND ");
        sql.equals("m.integration_id", stage.integration.id);
        sql.push(" AND m.user_id = u.id AND m.ended_at IS NULL AND m.source = 'MANUAL' WHERE m.id IS NULL AND ");
        stage.within(sql, "s", lines).push(&format!(" AND s.verdict {verdicts}"));
    }
}

impl Stage<'_> {
    /// Carries out what [`settle`](Self::settle) has found that can be, and links whoever is touched by it. So many rows are
    /// to make a mapping, by [`counts`](Self::counts).
    ///
    /// # Errors
    /// A CRM user that a row names is gone, which nothing but another import can do, and these wait for each other.
    pub async fn carry_out(&self, author: Author, makes: i64) -> Result<()> {
        // Targets are freed before they are used.
        for lines in self.pieces().await? {
            self.end(author, *lines).await?;
        }
        let mut pages = Pages::<Making>::new(self, "mapping_makes", making);
        let mut made = 0;
        let mut page = pages.next().await?;
        while !page.is_empty() {
            let clock = self.tx.clock.clone();
            let rows = Beside::start(move || rows(&clock, &page));
            page = pages.next().await?;
            made += self.make(author, rows.done().await?).await?;
        }
        if i64::try_from(made).is_ok_and(|made| made < makes) {
            return Err(Error::internal("a CRM user that a staged row names is gone"));
        }
        for lines in self.pieces().await? {
            self.mark_mapped(*lines).await?;
        }
        // Only now is it known what is free.
        let mut pages = Pages::<Concerned>::new(self, "mapping_concerned", concerned);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            let users = page.into_iter().map(|row| row.id).collect();
            let touched = Touched { users, ..Touched::default() };
            linking::run(self.tx, Some(self.integration.id), &touched, None).await?;
        }
    }

    async fn end(&self, author: Author, lines: Lines) -> Result<()> {
        for removed in [false, true] {
            let mut sql = self.tx.sql();
            sql.push("UPDATE mapping SET ").equals("ended_at", self.tx.now).push(", ");
            sql.equals("ended_by", author.user).push(", end_reason = ");
            if self.reverts {
                // Linking may make it again, as it might have before the import.
                sql.push("'REVERTED' FROM mapping_stage s WHERE ");
                self.within(&mut sql, "s", lines);
                sql.push(if removed { " AND s.verdict = 'DELETED'" } else { " AND s.verdict = 'UPDATED'" });
            } else if removed {
                sql.push("'REMOVED', ended_user_email = u.email, ended_crm_email = c.email ");
                sql.push("FROM mapping_stage s, app_user u, crm_user c WHERE ");
                self.within(&mut sql, "s", lines).push(" AND s.verdict = 'DELETED' ");
                sql.push("AND u.organization_id = s.organization_id AND u.id = s.user_id ");
                sql.push("AND c.organization_id = mapping.organization_id AND c.id = mapping.crm_user_id");
            } else {
                sql.push("'REPLACED' FROM mapping_stage s WHERE ");
                self.within(&mut sql, "s", lines).push(" AND s.verdict = 'UPDATED'");
            }
            sql.push(" AND mapping.organization_id = s.organization_id AND mapping.id = s.current_id");
            self.tx.execute(sql).await?;
        }
        Ok(())
    }

    async fn make(&self, author: Author, made: Rows) -> Result<u64> {
        let mut sql = self.tx.sql();
        sql.push(
            "INSERT INTO mapping (organization_id, integration_id, source, created_at, created_by, import_job_id, ",
        );
        sql.push(
            "import_line, id, warnings, user_id, crm_user_id, alias_email, replaces_id) SELECT s.organization_id, ",
        );
        sql.bind(self.integration.id).push(", COALESCE(s.source, 'MANUAL'), ").bind(self.tx.now).push(", ");
        sql.bind(author.user).push(", ").bind(author.import_job).push(", s.line, r.id, r.warnings, s.user_id, ");
        sql.push("s.crm_user_id, s.alias_email, s.current_id FROM ")
            .rows(made)
            .push(" AS r CROSS JOIN mapping_stage s WHERE ");
        self.within(&mut sql, "s", ALL).push(" AND s.line = r.line");
        self.tx.execute(sql).await
    }

    /// Those who were not mapped before: the others are marked so.
    async fn mark_mapped(&self, lines: Lines) -> Result<()> {
        let mut sql = self.tx.sql();
        sql.push("INSERT INTO user_link (organization_id, integration_id, user_id, state) SELECT s.organization_id, ");
        sql.bind(self.integration.id).push(", s.user_id, 'MAPPED' FROM mapping_stage s LEFT JOIN user_link l ");
        sql.push("ON l.organization_id = s.organization_id AND l.user_id = s.user_id AND ");
        sql.equals("l.integration_id", self.integration.id).push(" WHERE ");
        self.within(&mut sql, "s", lines).push(" AND s.verdict = 'CREATED' ");
        sql.push("AND l.state IS DISTINCT FROM 'MAPPED' ON CONFLICT (organization_id, integration_id, user_id) ");
        sql.push("DO UPDATE SET state = excluded.state");
        self.tx.execute(sql).await?;
        Ok(())
    }
}

/// What the new mappings have that the stage does not tell.
fn rows(clock: &Clock, page: &[Making]) -> Rows {
    let mut made = Rows::new(&[("line", Kind::Int), ("id", Kind::Uuid), ("warnings", Kind::Int)]);
    for row in page {
        let id: MappingId = clock.id();
        made.add(&[&row.line, &id, &warnings(row)]);
    }
    made
}

/// The warnings of a new mapping. How many CRM users carry the user's email was looked at when linking made it.
fn warnings(row: &Making) -> i32 {
    let mapped = Mapped {
        source: row.source,
        crm_email: row.crm_email.clone(),
        crm_name: row.crm_name.clone().unwrap_or_default(),
        crm_is_active: row.crm_is_active,
    };
    let subject = Subject {
        email: row.email.clone(),
        name: full_name(row.first_name.as_deref(), row.last_name.as_deref()),
        status: row.status,
        mapping: None,
        matches: Vec::new(),
    };
    link::warnings(&subject, &mapped)
}
