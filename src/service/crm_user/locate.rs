//! The CRM users that inputs name, many at once.

use std::collections::HashMap;

use entity::{CrmUserId, Email, ExternalId, integration};
use sea_orm::ConnectionTrait;
use serde::Deserialize;

use super::{CrmUserRef, id_kind};
use crate::service::{
    db::{Sql, sql::Kind},
    error::{ErrorCode, Fault, Result},
    value::{email, external_id},
};

/// A CRM user that was found: the columns of [`LOCATED`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Located {
    pub id: CrmUserId,
    pub external_id: ExternalId,
    pub email: Option<Email>,
}

const LOCATED: &[(&str, Kind)] = &[("id", Kind::Uuid), ("external_id", Kind::Text), ("email", Kind::Text)];

/// What a CSV cell names: an address when it holds an `@`, else the id in the CRM.
pub fn by_text(text: &str) -> CrmUserRef {
    if text.contains('@') { CrmUserRef::Email(text.to_owned()) } else { CrmUserRef::ExternalId(text.to_owned()) }
}

/// Finds the CRM users that the references name, in their order, in three statements at most.
///
/// Each that is not there has the fault `NOT_FOUND` (by id), `INVALID_EXTERNAL_ID`, `INVALID_EMAIL`,
/// `CRM_USER_NOT_FOUND` or `CRM_USER_AMBIGUOUS`, the last naming the ids to choose from.
pub async fn locate(
    db: &impl ConnectionTrait,
    integration: &integration::Model,
    refs: &[CrmUserRef],
    field: &'static str,
) -> Result<Vec<Result<Located, Fault>>> {
    let parsed: Vec<Result<CrmUserRef, Fault>> = refs.iter().map(|r| parse(integration, r, field)).collect();
    let mut ids: Vec<CrmUserId> = Vec::new();
    let (mut external_ids, mut emails): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for r in parsed.iter().flatten() {
        match r {
            CrmUserRef::Id(id) => ids.push(*id),
            CrmUserRef::ExternalId(id) => external_ids.push(id),
            CrmUserRef::Email(address) => emails.push(address),
        }
    }
    let select = || {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT id, external_id, email FROM crm_user WHERE ");
        sql.equals("organization_id", integration.organization_id).push(" AND ");
        sql.equals("integration_id", integration.id).push(" AND ");
        sql
    };
    let mut found: Vec<Located> = Vec::new();
    if !ids.is_empty() {
        let mut sql = select();
        sql.any_id("id", &ids);
        found.extend(sql.gathered_rows::<Located>(LOCATED, db).await?);
    }
    if !external_ids.is_empty() {
        let mut sql = select();
        sql.any_text("external_id", &external_ids);
        found.extend(sql.gathered_rows::<Located>(LOCATED, db).await?);
    }
    let mut by_email: HashMap<String, Vec<Located>> = HashMap::new();
    if !emails.is_empty() {
        let mut sql = select();
        sql.any_text("email", &emails).push(" ORDER BY external_id");
        for row in sql.gathered_rows::<Located>(LOCATED, db).await? {
            by_email.entry(row.email.as_ref().map(|e| e.0.clone()).unwrap_or_default()).or_default().push(row);
        }
    }
    let by_id: HashMap<CrmUserId, &Located> = found.iter().map(|row| (row.id, row)).collect();
    let by_external: HashMap<&str, &Located> = found.iter().map(|row| (row.external_id.as_str(), row)).collect();
    Ok(parsed
        .iter()
        .map(|r| match r {
            Err(fault) => Err(fault.clone()),
            Ok(CrmUserRef::Id(id)) => by_id.get(id).map(|row| (*row).clone()).ok_or_else(|| {
                Fault::at(ErrorCode::NotFound, field, "There is no CRM user with this id in the integration.")
            }),
            Ok(CrmUserRef::ExternalId(id)) => by_external.get(id.as_str()).map(|row| (*row).clone()).ok_or_else(|| {
                Fault::at(
                    ErrorCode::CrmUserNotFound,
                    field,
                    format!(
                        "{:?} has no CRM user with the id {id}. Has it been synced, pushed or imported?",
                        integration.name
                    ),
                )
            }),
            Ok(CrmUserRef::Email(address)) => match by_email.get(address).map(Vec::as_slice).unwrap_or_default() {
                [] => Err(Fault::at(
                    ErrorCode::CrmUserNotFound,
                    field,
                    format!("{:?} has no CRM user with the email {address}.", integration.name),
                )),
                [only] => Ok(only.clone()),
                several => {
                    let ids: Vec<&str> = several.iter().map(|row| row.external_id.as_str()).collect();
                    Err(Fault::at(
                        ErrorCode::CrmUserAmbiguous,
                        field,
                        format!(
                            "{address} belongs to several CRM users: {}. Give the id of the right one.",
                            ids.join(", ")
                        ),
                    ))
                }
            },
        })
        .collect())
}

fn parse(integration: &integration::Model, r: &CrmUserRef, field: &'static str) -> Result<CrmUserRef, Fault> {
    match r {
        CrmUserRef::Id(id) => Ok(CrmUserRef::Id(*id)),
        CrmUserRef::ExternalId(text) => external_id::parse(id_kind(integration.kind), text)
            .map(CrmUserRef::ExternalId)
            .map_err(|problem| Fault::at(ErrorCode::InvalidExternalId, field, problem.to_string())),
        CrmUserRef::Email(text) => email::parse(text)
            .map(CrmUserRef::Email)
            .map_err(|problem| Fault::at(ErrorCode::InvalidEmail, field, problem.message)),
    }
}
