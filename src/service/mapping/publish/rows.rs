//! What there is to tell of the settled rows: what each changes, or why it fails.

use entity::{Email, MappingId, MappingSource, MappingVerdict, RowOutcome};
use sea_orm::FromQueryResult;

use super::{Lines, Paged, Pages, Stage, outcome};
use crate::service::{
    db::{Sql, sql::Kind},
    error::Fault,
    mapping::refusal,
    user::apply::FieldChange,
};

/// A settled row as it is read, with what it is told with.
#[derive(Debug, FromQueryResult, serde::Deserialize)]
pub struct StagedRow {
    line: i64,
    verdict: MappingVerdict,
    cells: String,
    alias_email: Option<Email>,
    current_id: Option<MappingId>,
    source: Option<MappingSource>,
    current_alias: Option<Email>,
    current_target: Option<String>,
    target: Option<String>,
    user_email: Option<Email>,
    other_email: Option<Email>,
}

impl Paged for StagedRow {
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("line", Kind::Int),
        ("verdict", Kind::Text),
        ("cells", Kind::Text),
        ("alias_email", Kind::Text),
        ("current_id", Kind::Uuid),
        ("source", Kind::Text),
        ("current_alias", Kind::Text),
        ("current_target", Kind::Text),
        ("target", Kind::Text),
        ("user_email", Kind::Text),
        ("other_email", Kind::Text),
    ];
}

/// What a settled row comes to. It says the same before and after the mappings are made and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line of the file that the row starts on.
    pub line: i64,
    pub outcome: RowOutcome,
    /// The cells as they stand in the file, as a JSON array.
    pub cells: String,
    /// Why it fails, at a column of the file.
    pub fault: Option<Fault>,
    pub changes: Vec<FieldChange>,
    /// The mapping that it ends.
    pub ends: Option<MappingId>,
}

fn select(stage: &Stage<'_>, sql: &mut Sql, lines: Lines, condition: &str) {
    sql.push(
        "SELECT s.line, s.verdict, COALESCE(k.cells, '[]') AS cells, s.alias_email, s.current_id, b.source, b.alias_email AS current_alias, ",
    );
    sql.push(
        "bc.external_id AS current_target, c.external_id AS target, u.email AS user_email, o.email AS other_email ",
    );
    sql.push(
        "FROM mapping_stage s LEFT JOIN mapping b ON b.organization_id = s.organization_id AND b.id = s.current_id ",
    );
    sql.push("LEFT JOIN crm_user bc ON bc.organization_id = b.organization_id AND bc.id = b.crm_user_id ");
    sql.push("LEFT JOIN crm_user c ON c.organization_id = s.organization_id AND c.id = s.crm_user_id ");
    // What undoes an import was in no file.
    sql.push("LEFT JOIN mapping_stage_cells k ON k.organization_id = s.organization_id ");
    sql.push("AND k.import_job_id = s.import_job_id AND k.line = s.line ");
    // Nobody is looked for where no message names them.
    for (name, column, verdicts) in [("u", "user_id", "'EXISTS'"), ("o", "other_id", "'HELD', 'CLAIMED'")] {
        sql.push(&format!("LEFT JOIN app_user {name} ON {name}.organization_id = s.organization_id "));
        sql.push(&format!("AND {name}.id = CASE WHEN s.verdict IN ({verdicts}) THEN s.{column} END "));
    }
    sql.push("WHERE ");
    stage.within(sql, "s", lines).push(condition).push(" ORDER BY s.line");
}

fn all(stage: &Stage<'_>, sql: &mut Sql, lines: Lines) {
    select(stage, sql, lines, " AND s.verdict IS NOT NULL");
}

fn changed(stage: &Stage<'_>, sql: &mut Sql, lines: Lines) {
    select(stage, sql, lines, " AND s.verdict NOT IN ('CREATED', 'UNCHANGED')");
}

impl Stage<'_> {
    /// All settled rows, in the order of their lines.
    pub fn all_rows(&self) -> Pages<'_, StagedRow> {
        Pages::new(self, "mapping_rows", all)
    }

    /// The rows that fail, and those that change or delete something, in the order of their lines.
    pub fn changed_rows(&self) -> Pages<'_, StagedRow> {
        Pages::new(self, "mapping_rows", changed)
    }
}

impl From<StagedRow> for Row {
    fn from(row: StagedRow) -> Self {
        let fault = row.fault();
        let changes = if fault.is_some() { Vec::new() } else { row.changes() };
        let ends = match row.verdict {
            MappingVerdict::Updated | MappingVerdict::Deleted => row.current_id,
            _ => None,
        };
        Self { line: row.line, outcome: outcome(row.verdict), cells: row.cells, fault, changes, ends }
    }
}

impl StagedRow {
    fn fault(&self) -> Option<Fault> {
        let current = self.current_target.as_deref();
        let other = self.other_email.as_ref().map(Email::as_str);
        Some(match self.verdict {
            MappingVerdict::Created | MappingVerdict::Updated | MappingVerdict::Unchanged | MappingVerdict::Deleted => {
                return None;
            }
            MappingVerdict::UserDeleted => refusal::user_deleted(),
            MappingVerdict::Duplicate => refusal::duplicate(),
            MappingVerdict::Exists => {
                refusal::exists(self.user_email.as_ref().map_or("The user", Email::as_str), self.source.zip(current))
            }
            MappingVerdict::Missing => refusal::missing(),
            MappingVerdict::Mismatch => refusal::mismatch(current),
            MappingVerdict::Held => refusal::held(self.target.as_deref().unwrap_or_default(), other),
            MappingVerdict::Claimed => refusal::claimed(other),
        })
    }

    /// What is otherwise than before.
    fn changes(&self) -> Vec<FieldChange> {
        let ends = self.verdict == MappingVerdict::Deleted;
        let after = |value: Option<&str>| value.filter(|_| !ends).map(str::to_owned);
        let alias = |alias: &Option<Email>| alias.as_ref().map(|alias| alias.0.clone());
        // What is as asked is by hand already.
        let source = after(Some(MappingSource::Manual.as_str()));
        let fields = [
            ("externalId", self.current_target.clone(), after(self.target.as_deref())),
            ("aliasEmail", alias(&self.current_alias), after(self.alias_email.as_ref().map(Email::as_str))),
            ("source", self.source.map(|source| source.as_str().to_owned()), source),
        ];
        fields
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(field, before, after)| FieldChange { field: field.to_owned(), before, after })
            .collect()
    }
}
