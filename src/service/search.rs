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

/// Adds a statement for the ids that the index has under words that begin with `word`. `more` adds conditions on the
/// index, such as its integration.
fn ids(sql: &mut Sql, index: Index, organization_id: OrganizationId, word: &str, more: impl FnOnce(&mut Sql)) {
    sql.push("SELECT w.").push(index.id).push(" AS id FROM ").push(index.table).push(" w WHERE ");
    sql.equals("w.organization_id", organization_id);
    more(sql);
    // Every text that begins with the word lies from the word up to the word and the last character there is.
    sql.push(" AND w.word >= ").bind(word).push(" AND w.word < ").bind(format!("{word}\u{10ffff}"));
}

/// Adds `column IN (…)`: what is found under words that begin with `word`.
pub fn begins(
    sql: &mut Sql,
    column: &str,
    index: Index,
    organization_id: OrganizationId,
    word: &str,
    more: impl FnOnce(&mut Sql),
) {
    sql.push(column).push(" IN (");
    ids(sql, index, organization_id, word, more);
    sql.push(")");
}

/// Adds ` AND column IN (…)` for each word of the query.
pub fn restrict(sql: &mut Sql, column: &str, index: Index, organization_id: OrganizationId, query: Option<&str>) {
    for word in words(query.unwrap_or_default()) {
        sql.push(" AND ");
        begins(sql, column, index, organization_id, &word, |_| ());
    }
}

/// Adds ` FROM table x WHERE …` for what the query finds, all of it where there are no words. `more` is as in [`begins`].
///
/// What is found is looked up, and not the whole table looked through for it: a search costs what it finds.
pub fn from(
    sql: &mut Sql,
    table: &str,
    index: Index,
    organization_id: OrganizationId,
    query: Option<&str>,
    more: impl Fn(&mut Sql),
) {
    let words = words(query.unwrap_or_default());
    sql.push(" FROM ");
    if words.is_empty() {
        sql.push(table).push(" x WHERE ");
    } else {
        sql.push("(");
        for (i, word) in words.iter().enumerate() {
            if i > 0 {
                sql.push(" INTERSECT ");
            }
            ids(sql, index, organization_id, word, &more);
        }
        // Something can have several words with the same beginning.
        if words.len() == 1 {
            sql.push(" GROUP BY w.").push(index.id);
        }
        sql.push(") AS f CROSS JOIN ").push(table).push(" x WHERE x.id = f.id AND ");
    }
    sql.equals("x.organization_id", organization_id);
}
