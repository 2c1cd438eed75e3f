//! A user of the revenue application.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app_user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// Unique among the users of the organisation that are not deleted.
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub title: Option<String>,
    /// What lists by name are ordered by: the folded name, or the email of a user without one.
    pub sort_name: String,
    pub team_id: Option<TeamId>,
    pub role: UserRole,
    pub object_visibility: ObjectVisibility,
    pub configuration_profile_id: ConfigurationProfileId,
    pub status: UserStatus,
    pub suspended_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// When the user was deleted; history still names it.
    pub deleted_at: Option<DateTimeUtc>,
    /// The import that made it, and the line of the file.
    pub import_job_id: Option<ImportJobId>,
    pub import_line: Option<i64>,
    #[sea_orm(belongs_to, from = "(organization_id, team_id)", to = "(organization_id, id)")]
    pub team: BelongsTo<Option<super::team::Entity>>,
    #[sea_orm(belongs_to, from = "(organization_id, configuration_profile_id)", to = "(organization_id, id)")]
    pub configuration_profile: BelongsTo<super::configuration_profile::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

crate::rows::read_by_place!(Model {
    organization_id,
    id,
    email,
    first_name,
    last_name,
    title,
    sort_name,
    team_id,
    role,
    object_visibility,
    configuration_profile_id,
    status,
    suspended_at,
    created_at,
    updated_at,
    deleted_at,
    import_job_id,
    import_line,
});
