//! Finding integrations, and how many users stand how towards them.

use std::collections::HashMap;

use entity::{IntegrationId, LinkState, MappingSource, integration::Model};

use super::IntegrationRef;
use crate::service::{Scope, Session, db::Sql, error::Result, list};

/// Every state of a user towards an integration, in the order in which they are shown.
pub const STATES: [LinkState; 6] = [
    LinkState::Mapped,
    LinkState::MatchAvailable,
    LinkState::NoMatch,
    LinkState::Ambiguous,
    LinkState::MatchInactive,
    LinkState::MatchTaken,
];

/// How many users stand how towards an integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// A count for each of [`STATES`].
    pub by_state: [i64; 6],
    pub automatic: i64,
    pub manual: i64,
    pub with_warnings: i64,
}

impl Coverage {
    pub fn users(&self) -> i64 {
        self.by_state.iter().sum()
    }

    pub fn of(&self, state: LinkState) -> i64 {
        STATES.iter().zip(self.by_state).find(|(of, _)| **of == state).map_or(0, |(_, n)| n)
    }
}

/// The integrations that are not deleted, by name.
pub async fn all(session: &Session) -> Result<Vec<Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM integration WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND deleted_at IS NULL ORDER BY name, id");
    Ok(sql.all(session.reader()).await?)
}

/// The integrations of these ids, those that are deleted included: history names them.
pub async fn by_id(session: &Session, ids: &[IntegrationId]) -> Result<HashMap<IntegrationId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM integration WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND ").any_id("id", ids);
    list::keyed(session, sql, |integration: &Model| integration.id).await
}

/// The integrations that the references name, those that are deleted aside.
pub async fn by_ref(session: &Session, refs: &[IntegrationRef]) -> Result<HashMap<IntegrationRef, Model>> {
    let ids: Vec<IntegrationId> = refs
        .iter()
        .filter_map(|by| match by {
            IntegrationRef::Id(id) => Some(*id),
            IntegrationRef::Name(_) => None,
        })
        .collect();
    let names: Vec<&str> = refs
        .iter()
        .filter_map(|by| match by {
            IntegrationRef::Id(_) => None,
            IntegrationRef::Name(name) => Some(name.as_str()),
        })
        .collect();
    let mut sql = session.sql();
    sql.push("SELECT * FROM integration WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND deleted_at IS NULL AND (").any_id("id", &ids).push(" OR ").any_text("name", &names).push(")");
    let found: Vec<Model> = sql.all(session.reader()).await?;
    let matches = |by: &IntegrationRef| {
        found.iter().find(|integration| match by {
            IntegrationRef::Id(id) => integration.id == *id,
            IntegrationRef::Name(name) => integration.name == *name,
        })
    };
    Ok(refs.iter().filter_map(|by| Some((by.clone(), matches(by)?.clone()))).collect())
}

/// The integration that the reference names.
pub async fn find(session: &Session, integration: &IntegrationRef) -> Result<Option<Model>> {
    Ok(by_ref(session, std::slice::from_ref(integration)).await?.remove(integration))
}

/// The integration that users and teams follow; there is one in manage mode AUTO.
pub async fn managing(session: &Session) -> Result<Option<Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM integration WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND manages_users");
    Ok(sql.one(session.reader()).await?)
}

/// Adds the users of `alias.user_id` where the viewer sees only some of them, and the WHERE.
fn seen(session: &Session, sql: &mut Sql, alias: &str) {
    let limited = session.viewer.scope != Scope::Organization;
    if limited {
        sql.push(" JOIN app_user u ON u.organization_id = ").push(alias).push(".organization_id AND u.id = ");
        sql.push(alias).push(".user_id AND u.deleted_at IS NULL");
    }
    sql.push(" WHERE ").equals(&format!("{alias}.organization_id"), session.organization_id());
    if limited {
        session.visible(sql, "u");
    }
}

/// How many of the users that the viewer sees stand how towards each integration: two statements for all of them.
pub async fn coverage(session: &Session, ids: &[IntegrationId]) -> Result<HashMap<IntegrationId, Coverage>> {
    let mut coverage: HashMap<IntegrationId, Coverage> = ids.iter().map(|id| (*id, Coverage::default())).collect();

    let mut sql = session.sql();
    sql.push("SELECT l.integration_id, l.state, COUNT(*) AS n FROM user_link l");
    seen(session, &mut sql, "l");
    sql.push(" AND ").any_id("l.integration_id", ids).push(" GROUP BY l.integration_id, l.state");
    let states = sql.map(session.reader(), |row| {
        Ok((
            row.try_get::<IntegrationId>("", "integration_id")?,
            row.try_get::<LinkState>("", "state")?,
            row.try_get::<i64>("", "n")?,
        ))
    });
    for (id, state, n) in states.await? {
        let by_state = &mut coverage.entry(id).or_default().by_state;
        for (slot, of) in by_state.iter_mut().zip(STATES) {
            if of == state {
                *slot = n;
            }
        }
    }

    let mut sql = session.sql();
    sql.push(
        "SELECT m.integration_id, m.source, COUNT(*) AS n, COUNT(CASE WHEN m.warnings <> 0 THEN 1 END) AS warned \
         FROM mapping m",
    );
    seen(session, &mut sql, "m");
    sql.push(" AND m.ended_at IS NULL AND ").any_id("m.integration_id", ids);
    sql.push(" GROUP BY m.integration_id, m.source");
    let sources = sql.map(session.reader(), |row| {
        Ok((
            row.try_get::<IntegrationId>("", "integration_id")?,
            row.try_get::<MappingSource>("", "source")?,
            row.try_get::<i64>("", "n")?,
            row.try_get::<i64>("", "warned")?,
        ))
    });
    for (id, source, n, warned) in sources.await? {
        let coverage = coverage.entry(id).or_default();
        match source {
            MappingSource::Automatic => coverage.automatic = n,
            MappingSource::Manual => coverage.manual = n,
        }
        coverage.with_warnings += warned;
    }
    Ok(coverage)
}
