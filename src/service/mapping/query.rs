//! Finding and listing mappings. A mapping of a user whom the viewer may not see is not there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{CrmUserId, IntegrationId, MappingId, MappingSource, UserId, mapping::Model};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Warning;
use crate::service::{
    Scope, Session,
    clock::Time,
    crm_user,
    db::Sql,
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::{self, How},
};

/// Which mappings a list has; every condition must hold. An empty list of choices finds none.
///
/// It can be written down and read again: the address of an export carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Filter {
    pub integration_id: Option<IntegrationId>,
    pub source: Option<Vec<MappingSource>>,
    /// Every word must be the beginning of a word on either side.
    pub search: Option<String>,
    /// The bits of the warnings of which a mapping must have at least one.
    pub warnings: Option<i32>,
    /// Those that held at this moment; those that hold when there is none.
    pub as_of: Option<Time>,
}

/// The mappings that a filter finds, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Mappings {
    pub filter: Filter,
}

/// The mappings of an integration that a filter finds, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OfIntegration {
    pub filter: Filter,
}

/// Every mapping that a user ever had, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct History {
    pub integration_id: Option<IntegrationId>,
}

/// Adds ` FROM mapping x … WHERE …` for the mappings that the viewer sees.
fn visible(session: &Session, sql: &mut Sql) {
    sql.push(" FROM mapping x");
    let limited = session.viewer.scope != Scope::Organization;
    if limited {
        sql.push(" JOIN app_user u ON u.organization_id = x.organization_id AND u.id = x.user_id");
    }
    sql.push(" WHERE ").equals("x.organization_id", session.organization_id());
    if limited {
        session.visible(sql, "u");
    }
}

impl Filter {
    /// Adds ` AND …` for the mappings under the alias `x`.
    pub fn restrict(&self, session: &Session, sql: &mut Sql) {
        match self.as_of {
            Some(as_of) => {
                let as_of = storable(as_of);
                sql.push(" AND x.created_at <= ").bind(as_of);
                sql.push(" AND (x.ended_at IS NULL OR x.ended_at > ").bind(as_of).push(")");
            }
            None => {
                sql.push(" AND x.ended_at IS NULL");
            }
        }
        if let Some(integration_id) = self.integration_id {
            sql.push(" AND ").equals("x.integration_id", integration_id);
        }
        if let Some(source) = &self.source {
            sql.push(" AND ").any_name("x.source", source);
        }
        if let Some(warnings) = self.warnings {
            sql.push(" AND x.warnings <> 0 AND x.warnings & ").bind(warnings).push(" <> 0");
        }
        let organization_id = session.organization_id();
        for word in search::words(self.search.as_deref().unwrap_or_default()) {
            sql.push(" AND (");
            search::begins(sql, "x.user_id", search::USERS, organization_id, &word, |_| ());
            sql.push(" OR ");
            search::begins(sql, "x.crm_user_id", search::CRM_USERS, organization_id, &word, |sql| {
                match self.integration_id {
                    Some(integration_id) => {
                        sql.push(" AND ").equals("w.integration_id", integration_id);
                    }
                    None => crm_user::query::of_any(sql, organization_id),
                }
            });
            sql.push(")");
        }
    }
}

/// The moment, if need be moved to the nearest one that both databases can compare.
fn storable(time: Time) -> Time {
    let first = DateTime::<Utc>::UNIX_EPOCH;
    let last = DateTime::<Utc>::from_timestamp(253_402_300_799, 0).unwrap_or(first);
    time.clamp(first, last)
}

const fn order(tag: &'static str, descending: bool) -> Order {
    // Ids are made in the order of time.
    Order { tag, columns: &[("x.id", KeyKind::Id)], descending }
}

fn keys(mapping: &Model) -> Vec<Key> {
    vec![Key::Id(mapping.id.0)]
}

impl List for Mappings {
    type Row = Model;

    fn order(&self) -> Order {
        order("mapping", false)
    }

    fn keys(&self, mapping: &Model) -> Vec<Key> {
        keys(mapping)
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        visible(session, sql);
        self.filter.restrict(session, sql);
    }
}

impl List for OfIntegration {
    type Row = Model;

    fn order(&self) -> Order {
        order("mapping", false)
    }

    fn keys(&self, mapping: &Model) -> Vec<Key> {
        keys(mapping)
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        visible(session, sql);
        sql.push(" AND x.integration_id = p.parent");
        self.filter.restrict(session, sql);
    }
}

impl Below for OfIntegration {
    const TABLE: Table = Table::with_id("mapping");
}

impl List for History {
    type Row = Model;

    fn order(&self) -> Order {
        order("history", true)
    }

    fn keys(&self, mapping: &Model) -> Vec<Key> {
        keys(mapping)
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        visible(session, sql);
        sql.push(" AND x.user_id = p.parent");
        if let Some(integration_id) = self.integration_id {
            sql.push(" AND ").equals("x.integration_id", integration_id);
        }
    }
}

impl Below for History {
    const TABLE: Table = Table::with_id("mapping");
}

/// The mappings of these ids, those that have ended included.
pub async fn by_id(session: &Session, ids: &[MappingId]) -> Result<HashMap<MappingId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.*");
    visible(session, &mut sql);
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |mapping: &Model| mapping.id).await
}

/// The mappings of each user that hold, oldest first. Users without any are not in the answer.
pub async fn of_users(session: &Session, users: &[UserId]) -> Result<HashMap<UserId, Vec<Model>>> {
    let mut sql = session.sql();
    sql.push("SELECT x.user_id AS parent_key, x.*");
    visible(session, &mut sql);
    sql.push(" AND x.ended_at IS NULL AND ").any_id("x.user_id", users).push(" ORDER BY x.id");
    list::grouped(session, sql).await
}

/// The mapping of each CRM user that holds. The pairs are of the integration and the CRM user.
pub async fn of_crm_users(
    session: &Session,
    crm_users: &[(IntegrationId, CrmUserId)],
) -> Result<HashMap<(IntegrationId, CrmUserId), Model>> {
    let mut integrations: Vec<Uuid> = crm_users.iter().map(|(integration, _)| integration.0).collect();
    integrations.sort_unstable();
    integrations.dedup();
    let ids: Vec<CrmUserId> = crm_users.iter().map(|(_, id)| *id).collect();
    let mut sql = session.sql();
    sql.push("SELECT x.*");
    visible(session, &mut sql);
    sql.push(" AND x.ended_at IS NULL AND ").any_id("x.integration_id", &integrations);
    sql.push(" AND ").any_id("x.crm_user_id", &ids);
    list::keyed(session, sql, |mapping: &Model| (mapping.integration_id, mapping.crm_user_id)).await
}

/// The bits of several warnings.
pub fn bits(warnings: impl IntoIterator<Item = Warning>) -> i32 {
    warnings.into_iter().fold(0, |bits, warning| bits | warning.bit())
}
