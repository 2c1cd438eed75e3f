//! Integrations: the CRMs that users are matched with, and how.

pub mod change;
pub mod query;

use entity::{EmailDedupe, IntegrationId, OrganizationId, integration};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    error::{ErrorCode, Fault, Result},
    user::Patch,
};

/// An integration as an input names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum IntegrationRef {
    Id(IntegrationId),
    Name(String),
}

/// Settings to change; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsPatch {
    pub auto_link_by_email: Patch<bool>,
    pub inbound_create: Patch<bool>,
    pub email_dedupe: Patch<EmailDedupe>,
    pub auto_remap_inactive: Patch<bool>,
    /// A cron expression in UTC; the one setting that can be cleared.
    pub sync_schedule: Patch<String>,
    pub mass_change_limit_percent: Patch<i32>,
    /// From one to a year's hours.
    pub full_sync_interval_hours: Patch<i32>,
    pub strip_invalid_suffix: Patch<bool>,
}

/// The integration that an input names.
///
/// # Errors
/// `NOT_FOUND` at `field`.
pub async fn locate(
    db: &impl ConnectionTrait,
    organization_id: OrganizationId,
    integration: &IntegrationRef,
    field: &'static str,
) -> Result<integration::Model> {
    let find = integration::Entity::find()
        .filter(integration::Column::OrganizationId.eq(organization_id))
        .filter(integration::Column::DeletedAt.is_null());
    let (find, sought) = match integration {
        IntegrationRef::Id(id) => (find.filter(integration::Column::Id.eq(*id)), "with this id".to_owned()),
        IntegrationRef::Name(name) => (find.filter(integration::Column::Name.eq(name)), format!("named {name:?}")),
    };
    find.one(db)
        .await?
        .ok_or_else(|| Fault::at(ErrorCode::NotFound, field, format!("There is no integration {sought}.")).into())
}
