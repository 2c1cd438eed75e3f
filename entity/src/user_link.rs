//! How each user stands towards each integration; kept up by linking.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub integration_id: IntegrationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub state: LinkState,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, id)")]
    pub user: BelongsTo<super::app_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
