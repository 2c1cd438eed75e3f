//! Finding and listing receipts of CRM users: for administrators.

use std::collections::HashMap;

use entity::{IntegrationId, SyncRunId, sync_run::Model};

use crate::service::{
    Session,
    db::Sql,
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::How,
};

/// The receipts of an integration, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OfIntegration;

impl List for OfIntegration {
    type Row = Model;

    fn order(&self) -> Order {
        Order { tag: "sync", columns: &[("x.id", KeyKind::Id)], descending: true }
    }

    fn keys(&self, run: &Model) -> Vec<Key> {
        vec![Key::Id(run.id.0)]
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM sync_run x WHERE ").equals("x.organization_id", session.organization_id());
        sql.push(" AND x.integration_id = p.parent");
    }
}

impl Below for OfIntegration {
    const TABLE: Table = Table::with_id("sync_run");
}

/// The receipts of these ids; none for a viewer who is no administrator.
pub async fn by_id(session: &Session, ids: &[SyncRunId]) -> Result<HashMap<SyncRunId, Model>> {
    if !session.is_admin() {
        return Ok(HashMap::new());
    }
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM sync_run x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |run: &Model| run.id).await
}

/// The newest receipt of each integration. Integrations without any are not in the answer.
pub async fn last_of(session: &Session, integrations: &[IntegrationId]) -> Result<HashMap<IntegrationId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM ").ids("parent", integrations).push(" AS p JOIN sync_run x ON ");
    sql.equals("x.organization_id", session.organization_id());
    sql.push(" AND x.id = (SELECT r.id FROM sync_run r WHERE ");
    sql.equals("r.organization_id", session.organization_id());
    sql.push(" AND r.integration_id = p.parent ORDER BY r.id DESC LIMIT 1)");
    list::keyed(session, sql, |run: &Model| run.integration_id).await
}

/// A receipt for whoever follows it.
pub async fn watched(session: &Session, id: SyncRunId) -> Result<Option<Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM sync_run x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").equals("x.id", id);
    Ok(sql.one(session.reader()).await?)
}
