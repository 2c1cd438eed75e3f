//! Searching: every word of the query must be the beginning of a word that the row is indexed under.

use entity::OrganizationId;

use super::{db::Sql, value::text};

/// A table of words.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    pub table: &'static str,
    /// Its column with the id of what the word belongs to.
    pub id: &'static str,
}

pub const USERS: Index = Index { table: "user_word", id: "user_id" };
pub const TEAMS: Index = Index { table: "team_word", id: "team_id" };
pub const CRM_USERS: Index = Index { table: "crm_user_word", id: "crm_user_id" };

/// The words that a query is made of; none: the query finds everything.
pub fn words(query: &str) -> Vec<String> {
    text::words(query)
}

/// Adds `column IN (…)`: the ids that the index has under words that begin with `word`. `more` adds conditions on the
/// index, such as its integration.
pub fn begins(
    sql: &mut Sql,
    column: &str,
    index: Index,
    organization_id: OrganizationId,
    word: &str,
    more: impl FnOnce(&mut Sql),
) {
    sql.push(column).push(" IN (SELECT w.").push(index.id).push(" FROM ").push(index.table).push(" w WHERE ");
    sql.equals("w.organization_id", organization_id);
    more(sql);
    // Every text that begins with the word lies from the word up to the word and the last character there is.
    sql.push(" AND w.word >= ").bind(word).push(" AND w.word < ").bind(format!("{word}\u{10ffff}")).push(")");
}

/// Adds ` AND column IN (…)` for each word of the query.
pub fn restrict(sql: &mut Sql, column: &str, index: Index, organization_id: OrganizationId, query: Option<&str>) {
    for word in words(query.unwrap_or_default()) {
        sql.push(" AND ");
        begins(sql, column, index, organization_id, &word, |_| ());
    }
}
