//! The CRM users that users may be: an index finds a few hundred for each, `service::candidate` ranks them.

use std::{collections::HashMap, sync::Arc};

use entity::{Email, IntegrationId, UserId, app_user, crm_user};

use crate::service::{
    Session,
    candidate::{self, CrmPerson, MAX_KEYS, MatchReason, Person},
    db::{Rows, Sql, sql::Kind},
    error::Result,
    list,
    user::{self, standing::Pair},
};

/// As many CRM users are looked at for each user: those that share most.
const LOOKED_AT: i64 = 300;

/// A CRM user that a user may be.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub crm_user: Arc<crm_user::Model>,
    /// In 0..=1.
    pub score: f64,
    /// The strongest first.
    pub reasons: Vec<MatchReason>,
}

/// The candidates of each user in each integration, best first. CRM users that another user is mapped to are none.
///
/// Two statements, and one for each integration.
pub async fn ranked(session: &Session, pairs: &[Pair]) -> Result<HashMap<Pair, Arc<Vec<Candidate>>>> {
    let mut by_integration: HashMap<IntegrationId, Vec<UserId>> = HashMap::new();
    for (user, integration) in pairs {
        by_integration.entry(*integration).or_default().push(*user);
    }
    let ids: Vec<UserId> = pairs.iter().map(|(user, _)| *user).collect();
    let users = user::query::by_id(session, &ids).await?;
    let aliases = aliases(session, &ids).await?;
    let mut candidates = HashMap::new();
    for (integration, ids) in by_integration {
        let people: Vec<(UserId, Person<'_>)> = ids
            .iter()
            .filter_map(|id| {
                let aliases = aliases.get(id).map_or(&[][..], Vec::as_slice);
                Some((*id, person(users.get(id)?, aliases)))
            })
            .collect();
        let mut found = possible(session, integration, &people).await?;
        for (user, person) in people {
            let ranked = rank(&person, found.remove(&user).unwrap_or_default());
            candidates.insert((user, integration), Arc::new(ranked));
        }
    }
    Ok(candidates)
}

fn person<'a>(user: &'a app_user::Model, aliases: &'a [String]) -> Person<'a> {
    Person {
        email: user.email.as_str(),
        aliases,
        first_name: user.first_name.as_deref().unwrap_or_default(),
        last_name: user.last_name.as_deref().unwrap_or_default(),
        title: user.title.as_deref().unwrap_or_default(),
    }
}

fn rank(person: &Person<'_>, possible: Vec<crm_user::Model>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = possible
        .into_iter()
        .filter_map(|crm_user| {
            let crm_person = CrmPerson {
                email: crm_user.email.as_ref().map_or("", Email::as_str),
                username: crm_user.username.as_deref().unwrap_or_default(),
                name: crm_user.name.as_deref().unwrap_or_default(),
                title: crm_user.title.as_deref().unwrap_or_default(),
            };
            let (score, reasons) = candidate::score(person, &crm_person)?;
            Some(Candidate { crm_user: Arc::new(crm_user), score, reasons })
        })
        .collect();
    candidates
        .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.crm_user.external_id.cmp(&b.crm_user.external_id)));
    candidates
}

/// The alias emails of all mappings that each user ever had.
async fn aliases(session: &Session, users: &[UserId]) -> Result<HashMap<UserId, Vec<String>>> {
    let mut sql = session.sql();
    sql.push("SELECT DISTINCT user_id, alias_email FROM mapping WHERE ");
    sql.equals("organization_id", session.organization_id()).push(" AND ").any_id("user_id", users);
    sql.push(" AND alias_email IS NOT NULL ORDER BY user_id, alias_email");
    let rows = sql.map(session.reader(), |row| Ok((row.try_get("", "user_id")?, row.try_get("", "alias_email")?)));
    let mut aliases: HashMap<UserId, Vec<String>> = HashMap::new();
    for (user, alias) in rows.await? {
        aliases.entry(user).or_default().push(alias);
    }
    Ok(aliases)
}

/// The CRM users of an integration that share an email or the most telling words with each person, or have a word that
/// begins as a last name does.
async fn possible(
    session: &Session,
    integration: IntegrationId,
    people: &[(UserId, Person<'_>)],
) -> Result<HashMap<UserId, Vec<crm_user::Model>>> {
    let mut words = Rows::new(&[("user_id", Kind::Uuid), ("word", Kind::Text), ("worth", Kind::Int)]);
    let mut beginnings = Rows::new(&[("user_id", Kind::Uuid), ("lowest", Kind::Text), ("beyond", Kind::Text)]);
    let mut emails = Rows::new(&[("user_id", Kind::Uuid), ("email", Kind::Text)]);
    for (user, person) in people {
        // What tells most comes first.
        for (worth, word) in (1..=MAX_KEYS).rev().zip(candidate::keys(person)) {
            words.add(&[user, &word, &i64::try_from(worth).unwrap_or(1)]);
        }
        for beginning in candidate::beginnings(person) {
            // Every word that begins so lies from this one up to this one and the last character there is.
            beginnings.add(&[user, &beginning, &format!("{beginning}\u{10ffff}")]);
        }
        for email in std::iter::once(person.email).chain(person.aliases.iter().map(String::as_str)) {
            emails.add(&[user, &email]);
            emails.add(&[user, &format!("{email}.invalid")]);
        }
    }
    let organization_id = session.organization_id();
    let of = |sql: &mut Sql, alias: &str| {
        sql.equals(&format!("{alias}.organization_id"), organization_id);
        sql.push(" AND ").equals(&format!("{alias}.integration_id"), integration);
    };
    let mut sql = session.sql();
    sql.push("WITH shared AS (SELECT k.user_id, w.crm_user_id, k.worth FROM ").rows(words);
    sql.push(" AS k JOIN crm_user_word w ON w.word = k.word AND ");
    of(&mut sql, "w");
    // SQLite keeps to the order of a cross join: each beginning is looked up, not each word compared with all of them.
    sql.push(" UNION ALL SELECT k.user_id, w.crm_user_id, 1 FROM ").rows(beginnings);
    sql.push(" AS k CROSS JOIN crm_user_word w WHERE w.word >= k.lowest AND w.word < k.beyond AND ");
    of(&mut sql, "w");
    sql.push(" UNION ALL SELECT k.user_id, c.id, 10000 FROM ").rows(emails);
    sql.push(" AS k JOIN crm_user c ON c.email = k.email AND ");
    of(&mut sql, "c");
    sql.push(
        "), ranked AS (SELECT user_id, crm_user_id, \
         ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY SUM(worth) DESC, crm_user_id) AS place \
         FROM shared s WHERE NOT EXISTS (SELECT 1 FROM mapping m WHERE m.crm_user_id = s.crm_user_id \
         AND m.user_id <> s.user_id AND m.ended_at IS NULL AND ",
    );
    of(&mut sql, "m");
    sql.push(
        ") GROUP BY user_id, crm_user_id) SELECT r.user_id AS parent_key, x.* FROM ranked r \
         JOIN crm_user x ON x.id = r.crm_user_id AND ",
    );
    sql.equals("x.organization_id", organization_id).push(" WHERE r.place <= ").bind(LOOKED_AT);
    list::grouped(session, sql).await
}
