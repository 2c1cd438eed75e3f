//! Finding the viewer's organisation.

use entity::organization;

use crate::service::{
    Session,
    error::{Error, Result},
};

/// The viewer's organisation.
pub async fn find(session: &Session) -> Result<organization::Model> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM organization WHERE ").equals("id", session.organization_id());
    sql.one(session.reader()).await?.ok_or_else(|| Error::internal("the viewer's organisation is gone"))
}
