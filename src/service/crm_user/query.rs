//! Finding and listing CRM users.

use std::collections::HashMap;

use entity::{CrmUserId, OrganizationId, crm_user::Model};

use crate::service::{
    Session,
    db::Sql,
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::{self, How},
};

/// The CRM users of an integration that meet every condition, by external id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OfIntegration {
    /// Every word must be the beginning of a word of the external id, the email or the name.
    pub search: Option<String>,
    pub is_active: Option<bool>,
    pub is_mapped: Option<bool>,
}

/// A condition on the CRM user at the alias `x`: a mapping that holds names it.
const MAPPED: &str = "EXISTS (SELECT 1 FROM mapping m WHERE m.organization_id = x.organization_id \
     AND m.integration_id = x.integration_id AND m.crm_user_id = x.id AND m.ended_at IS NULL)";

/// Adds the condition by which the words of CRM users, indexed integration by integration, are found in all of them.
pub fn of_any(sql: &mut Sql, organization_id: OrganizationId) {
    sql.push(" AND w.integration_id IN (SELECT i.id FROM integration i WHERE ");
    sql.equals("i.organization_id", organization_id).push(")");
}

impl List for OfIntegration {
    type Row = Model;

    fn order(&self) -> Order {
        Order {
            tag: "crm_user",
            columns: &[("x.external_id", KeyKind::Text), ("x.id", KeyKind::Id)],
            descending: false,
        }
    }

    fn keys(&self, crm_user: &Model) -> Vec<Key> {
        vec![Key::Text(crm_user.external_id.0.clone()), Key::Id(crm_user.id.0)]
    }

    async fn how(&self, session: &Session) -> Result<How> {
        let organization_id = session.organization_id();
        search::how(session, search::CRM_USERS, self.search.as_deref(), |sql| of_any(sql, organization_id)).await
    }

    fn from(&self, session: &Session, sql: &mut Sql, how: How) {
        let (organization_id, query) = (session.organization_id(), (self.search.as_deref(), how));
        search::from(sql, "crm_user", search::CRM_USERS, organization_id, query, |sql| of_any(sql, organization_id));
        sql.push(" AND x.integration_id = p.parent");
        if let Some(is_active) = self.is_active {
            sql.push(if is_active { " AND x.is_active" } else { " AND NOT x.is_active" });
        }
        if let Some(is_mapped) = self.is_mapped {
            sql.push(if is_mapped { " AND " } else { " AND NOT " }).push(MAPPED);
        }
    }
}

impl Below for OfIntegration {
    const TABLE: Table = Table::with_id("crm_user");
}

/// The CRM users of these ids. Who may see one is for the caller to know: a mapping that is visible shows it.
pub async fn by_id(session: &Session, ids: &[CrmUserId]) -> Result<HashMap<CrmUserId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM crm_user x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |crm_user: &Model| crm_user.id).await
}
