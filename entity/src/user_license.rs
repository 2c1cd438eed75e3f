//! Who holds which licence.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_license")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub license_id: LicenseId,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, id)")]
    pub user: BelongsTo<super::app_user::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, license_id)", to = "(organization_id, id)")]
    pub license: BelongsTo<super::license::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
