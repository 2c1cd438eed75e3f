//! Finding tokens: administrators find everybody's, others their own. Tokens that have expired are not found.

use std::collections::HashMap;

use entity::{ApiTokenId, UserId, api_token::Model};

use crate::service::{Session, db::Sql, error::Result, list};

/// Adds ` FROM api_token x WHERE …` for the live tokens that the viewer sees.
fn visible(session: &Session, sql: &mut Sql) {
    sql.push(" FROM api_token x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND (x.expires_at IS NULL OR x.expires_at > ").bind(session.services.clock.now()).push(")");
    if !session.is_admin() {
        sql.push(" AND ").equals("x.user_id", session.viewer.user_id);
    }
}

pub async fn by_id(session: &Session, ids: &[ApiTokenId]) -> Result<HashMap<ApiTokenId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.*");
    visible(session, &mut sql);
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |token: &Model| token.id).await
}

/// Each user's tokens, oldest first. Users without any that the viewer sees are not in the answer.
pub async fn of_users(session: &Session, users: &[UserId]) -> Result<HashMap<UserId, Vec<Model>>> {
    let mut sql = session.sql();
    sql.push("SELECT x.user_id AS parent_key, x.*");
    visible(session, &mut sql);
    sql.push(" AND ").any_id("x.user_id", users).push(" ORDER BY x.id");
    list::grouped(session, sql).await
}
