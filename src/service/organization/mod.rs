//! The tenant itself: its name, and who owns its users.

pub mod change;
pub mod query;
pub mod switch;

use entity::{ManageMode, organization};
use sea_orm::EntityTrait;

use super::{
    db::Tx,
    error::{Error, Result},
};

/// Who owns the users and teams, as the transaction sees it.
pub async fn manage_mode(tx: &Tx) -> Result<ManageMode> {
    let found = organization::Entity::find_by_id(tx.organization_id).one(tx.connection()).await?;
    found.map(|found| found.manage_mode).ok_or_else(|| Error::internal("the organisation is gone"))
}
