//! What a receipt of CRM users did, or left alone and why.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sync_run_id: SyncRunId,
    /// Its place in the receipt's list.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub kind: SyncChangeKind,
    /// The user, who may be gone since; one that a simulation would have made does not exist.
    pub user_id: Option<UserId>,
    /// The CRM user, likewise.
    pub crm_user_id: Option<CrmUserId>,
    /// The user's email.
    pub email: Option<Email>,
    /// The CRM user's id in the CRM, or what the CRM calls what was left alone.
    pub external_id: Option<String>,
    /// What else there is to say: where it came from, who is in the way.
    pub detail: Option<String>,
    #[sea_orm(belongs_to, from = "(organization_id, sync_run_id)", to = "(organization_id, id)")]
    pub sync_run: BelongsTo<super::sync_run::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
