//! The words that searches find things by: kept beside each noun, in one table a noun, written here.

use std::collections::BTreeSet;

use super::{
    db::{Rows, Tx, sql::Kind},
    error::Result,
    value::text,
};
use uuid::Uuid;

/// Which table of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    User,
    Team,
    CrmUser,
}

impl Words {
    fn table(self) -> &'static str {
        match self {
            Self::User => "user_word",
            Self::Team => "team_word",
            Self::CrmUser => "crm_user_word",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Team => "team_id",
            Self::CrmUser => "crm_user_id",
        }
    }
}

/// Something whose words are to become other ones.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    pub id: Uuid,
    /// The texts that it had; none for something new.
    pub before: Vec<String>,
    /// The texts that it has now; none for something that is gone.
    pub after: Vec<String>,
}

impl Changed {
    pub fn new(id: impl Into<Uuid>, before: &[Option<&str>], after: &[Option<&str>]) -> Self {
        let own = |texts: &[Option<&str>]| texts.iter().flatten().map(|text| (*text).to_owned()).collect();
        Self { id: id.into(), before: own(before), after: own(after) }
    }
}

/// What another alphabet writes is found as it is written and as it is read: `Иван` is under `ivan` too.
fn words_of(texts: &[String]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for text in texts {
        let written = text::words(text);
        if !written.iter().all(|word| word.is_ascii()) {
            words.extend(text::words(&text::latin(text)));
        }
        words.extend(written);
    }
    words
}

/// In the order of the table's key, so that what is written together lies together.
fn rows(mut words: Vec<(String, Uuid)>) -> Rows {
    words.sort_unstable();
    let mut rows = Rows::new(COLUMNS);
    words.iter().for_each(|(word, id)| rows.add(&[word, id]));
    rows
}

const COLUMNS: &[(&str, Kind)] = &[("word", Kind::Text), ("id", Kind::Uuid)];

/// The words that are to go, and those that are to come.
#[derive(Debug)]
pub struct Difference {
    gone: Rows,
    new: Rows,
}

impl Difference {
    pub fn of(changes: &[Changed]) -> Self {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for change in changes {
            let before = words_of(&change.before);
            let after = words_of(&change.after);
            gone.extend(before.difference(&after).map(|word| (word.clone(), change.id)));
            new.extend(after.difference(&before).map(|word| (word.clone(), change.id)));
        }
        Self { gone: rows(gone), new: rows(new) }
    }

    /// Writes what has changed: two statements at most, whatever the number.
    pub async fn write(self, tx: &Tx, words: Words, integration: Option<Uuid>) -> Result<()> {
        let (table, key) = (words.table(), words.key());
        if !self.gone.is_empty() {
            let mut sql = tx.sql();
            sql.push("DELETE FROM ").push(table).push(" WHERE ").equals("organization_id", tx.organization_id);
            if let Some(integration) = integration {
                sql.push(" AND ").equals("integration_id", integration);
            }
            sql.push(" AND (word, ").push(key).push(") IN (SELECT word, id FROM ").rows(self.gone).push(" AS r)");
            tx.execute(sql).await?;
        }
        if !self.new.is_empty() {
            let mut sql = tx.sql();
            sql.push("INSERT INTO ").push(table).push(" (organization_id, ");
            sql.push(if integration.is_some() { "integration_id, word, " } else { "word, " }).push(key);
            sql.push(") SELECT ").bind(tx.organization_id);
            if let Some(integration) = integration {
                sql.push(", ").bind(integration);
            }
            sql.push(", word, id FROM ").rows(self.new).push(" AS r WHERE true ON CONFLICT DO NOTHING");
            tx.execute(sql).await?;
        }
        Ok(())
    }
}

/// Works out what has changed, and writes it.
pub async fn update(tx: &Tx, words: Words, integration: Option<Uuid>, changes: &[Changed]) -> Result<()> {
    Difference::of(changes).write(tx, words, integration).await
}
