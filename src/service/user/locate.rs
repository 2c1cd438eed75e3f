//! The users that inputs name, many at once.

use std::collections::HashMap;

use entity::{Email, OrganizationId, UserId};
use sea_orm::ConnectionTrait;
use serde::Deserialize;

use super::UserRef;
use crate::service::{
    db::{Sql, sql::Kind},
    error::{ErrorCode, Fault, Result},
    value::email,
};

/// A user that was found: the columns of [`LOCATED`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Located {
    pub id: UserId,
    pub email: Email,
}

const LOCATED: &[(&str, Kind)] = &[("id", Kind::Uuid), ("email", Kind::Text)];

/// Finds the live users that the references name, in their order, in two statements at most.
/// Each that is not there has the fault `NOT_FOUND` (by id) or `USER_NOT_FOUND` (by email).
pub async fn locate(
    db: &impl ConnectionTrait,
    organization_id: OrganizationId,
    refs: &[UserRef],
    field: &'static str,
) -> Result<Vec<Result<Located, Fault>>> {
    let ids: Vec<UserId> = refs.iter().filter_map(|r| if let UserRef::Id(id) = r { Some(*id) } else { None }).collect();
    let emails: HashMap<&str, Result<String, email::EmailProblem>> = refs
        .iter()
        .filter_map(|r| if let UserRef::Email(text) = r { Some((text.as_str(), email::parse(text))) } else { None })
        .collect();
    let wanted: Vec<&str> = emails.values().filter_map(|parsed| parsed.as_deref().ok()).collect();
    let mut found: Vec<Located> = Vec::new();
    for (condition, needed) in [(true, !ids.is_empty()), (false, !wanted.is_empty())] {
        if needed {
            let mut sql = Sql::new(db.get_database_backend());
            sql.push("SELECT id, email FROM app_user WHERE deleted_at IS NULL AND ");
            sql.equals("organization_id", organization_id).push(" AND ");
            if condition {
                sql.any_id("id", &ids)
            } else {
                sql.any_text("email", &wanted)
            };
            found.extend(sql.gathered_rows::<Located>(LOCATED, db).await?);
        }
    }
    let by_id: HashMap<UserId, &Located> = found.iter().map(|user| (user.id, user)).collect();
    let by_email: HashMap<&str, &Located> = found.iter().map(|user| (user.email.as_str(), user)).collect();
    Ok(refs
        .iter()
        .map(|r| match r {
            UserRef::Id(id) => by_id
                .get(id)
                .map(|user| (*user).clone())
                .ok_or_else(|| Fault::at(ErrorCode::NotFound, field, "There is no user with this id.")),
            UserRef::Email(text) => match emails.get(text.as_str()) {
                Some(Err(problem)) => Err(Fault::at(ErrorCode::InvalidEmail, field, problem.message.clone())),
                Some(Ok(parsed)) => {
                    by_email.get(parsed.as_str()).map(|user| (*user).clone()).ok_or_else(|| not_found(parsed, field))
                }
                None => Err(not_found(text, field)),
            },
        })
        .collect())
}

/// The fault of an email that no user has.
pub fn not_found(email: &str, field: &'static str) -> Fault {
    Fault::at(ErrorCode::UserNotFound, field, format!("There is no user with the email {email}."))
}
