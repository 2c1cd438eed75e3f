//! A configuration profile of the organisation's catalogue.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "configuration_profile")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConfigurationProfileId,
    /// Unique in the organisation.
    pub name: String,
    /// True for exactly one profile of the organisation.
    pub is_default: bool,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
