//! A licence of the organisation's catalogue.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "license")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LicenseId,
    /// Unique in the organisation.
    pub name: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
