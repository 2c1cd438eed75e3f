//! Who manages which team.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "team_manager")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub team_id: TeamId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(belongs_to, from = "(organization_id, team_id)", to = "(organization_id, id)")]
    pub team: BelongsTo<super::team::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, id)")]
    pub user: BelongsTo<super::app_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
