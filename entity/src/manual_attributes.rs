//! What a user had by hand before the CRM came to own title and team (manage mode AUTO); switching back restores it.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "manual_attributes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub title: Option<String>,
    pub team_id: Option<TeamId>,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, id)")]
    pub user: BelongsTo<super::app_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
