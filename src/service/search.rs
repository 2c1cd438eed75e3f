//! Searching: every word of the query must be the beginning of a word that the row is indexed under.

use entity::OrganizationId;

use super::{Session, db::Sql, error::Result, value::text};

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

/// How the rows that a search finds are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Through the table in the list's order: what is found lies so close that a page is soon full.
    Walk,
    /// Through what is found under the word at this place, which is little.
    Look(usize),
    /// Through the users who stand towards an integration as a filter says.
    Linked,
}

/// What is found under a word is little up to this number.
const FEW: i64 = 2_000;

/// How to come by what the query finds; one statement, none without words. `more` is as in [`begins`].
pub async fn how(session: &Session, index: Index, query: Option<&str>, more: impl Fn(&mut Sql)) -> Result<How> {
    let words = words(query.unwrap_or_default());
    if words.is_empty() {
        return Ok(How::Walk);
    }
    let mut sql = session.sql();
    for (i, word) in words.iter().enumerate() {
        sql.push(if i > 0 { " UNION ALL SELECT " } else { "SELECT " }).push(&i.to_string());
        sql.push(" AS place, (SELECT COUNT(*) FROM (");
        ids(&mut sql, index, session.organization_id(), word, &more);
        sql.push(" LIMIT ").bind(FEW + 1).push(") AS found) AS n");
    }
    let counts = sql.map(session.reader(), |row| Ok((row.try_get::<i64>("", "n")?, row.try_get::<i32>("", "place")?)));
    let rarest = counts.await?.into_iter().min();
    Ok(match rarest {
        Some((n, place)) if n <= FEW => How::Look(usize::try_from(place).unwrap_or_default()),
        _ => How::Walk,
    })
}

/// Adds ` FROM table x WHERE …` for what the query finds; all of the table where there are no words. `more` is as in
/// [`begins`], and must not speak of the rows or their parents: SQLite would search anew for each.
pub fn from(
    sql: &mut Sql,
    table: &str,
    index: Index,
    organization_id: OrganizationId,
    (query, how): (Option<&str>, How),
    more: impl Fn(&mut Sql),
) {
    let mut words = words(query.unwrap_or_default());
    sql.push(" FROM ");
    match how {
        How::Look(place) if place < words.len() => {
            let word = words.swap_remove(place);
            sql.push("(");
            ids(sql, index, organization_id, &word, &more);
            // Something can have several words with the same beginning.
            sql.push(" GROUP BY w.")
                .push(index.id)
                .push(") AS f CROSS JOIN ")
                .push(table)
                .push(" x WHERE x.id = f.id AND ");
        }
        _ => {
            sql.push(table).push(" x WHERE ");
        }
    }
    sql.equals("x.organization_id", organization_id);
    for word in words {
        sql.push(" AND ");
        begins(sql, "x.id", index, organization_id, &word, &more);
    }
}
