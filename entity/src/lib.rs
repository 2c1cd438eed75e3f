//! The tables as SeaORM entities, a table a file, and the types of their columns.
//!
//! Every table but [`organization`] has `organization_id` as the first part of its primary key, and every foreign key
//! carries it on both sides: a row can't point into another organisation.

pub mod api_token;
pub mod app_user;
pub mod configuration_profile;
pub mod crm_role;
pub mod crm_user;
pub mod crm_user_stage;
pub mod crm_user_word;
pub mod enums;
pub mod ids;
pub mod import_job;
pub mod import_row;
pub mod integration;
pub mod license;
pub mod manual_attributes;
pub mod mapping;
pub mod mapping_stage;
pub mod mapping_stage_cells;
pub mod organization;
pub mod rows;
pub mod sync_change;
pub mod sync_run;
pub mod team;
pub mod team_manager;
pub mod team_word;
pub mod user_license;
pub mod user_link;
pub mod user_word;

pub use enums::*;
pub use ids::*;
pub use rows::FromRows;
