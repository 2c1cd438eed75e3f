//! Making and revoking tokens: one's own, or, as an administrator, another user's.

use entity::{ApiTokenId, UserId, UserRole, UserStatus, api_token, app_user};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};

use crate::service::{
    Session,
    clock::{Time, storable},
    error::{Error, ErrorCode, Fault, Faults, Result, none},
    session::new_token,
    user::{UserRef, locate},
    value::name,
};

/// Makes a token; its text is returned this once.
///
/// # Errors
/// At `user`: `NOT_FOUND` or `USER_NOT_FOUND` where the viewer can't see it, `INVALID` where it can't sign in; `INVALID`
/// for the name or an end in the past. [`Error::Forbidden`] for another's token, unless the viewer is an administrator.
pub async fn create(
    session: &Session,
    name: String,
    user: Option<UserRef>,
    expires_at: Option<Time>,
) -> Result<(ApiTokenId, String)> {
    let tx = session.services.db.write(session.organization_id()).await?;
    let user_id = match &user {
        None => session.viewer.user_id,
        Some(named) => {
            let found =
                locate::locate(tx.connection(), tx.organization_id, std::slice::from_ref(named), "user").await?;
            found.into_iter().next().ok_or_else(|| Error::internal("a user is neither there nor missing"))??.id
        }
    };
    let found = app_user::Entity::find_by_id((tx.organization_id, user_id)).one(tx.connection()).await?;
    let found = found.ok_or(Error::Unauthenticated)?;
    if user_id != session.viewer.user_id && !session.is_admin() {
        // Who can't be seen is not there; that they are is no news about whom one sees.
        return Err(match (&user, session.sees(user_id, found.team_id)) {
            (_, true) | (None, _) => Error::Forbidden("an administrator is needed for another user's token."),
            (Some(UserRef::Email(email)), false) => locate::not_found(email, "user").into(),
            (Some(UserRef::Id(_)), false) => {
                Fault::at(ErrorCode::NotFound, "user", "There is no user with this id.").into()
            }
        });
    }
    let mut faults = Faults::new();
    let name = name::check("token", &name).unwrap_or_else(|why| {
        faults.push(Fault::at(ErrorCode::Invalid, "name", why));
        String::new()
    });
    if found.status == UserStatus::Suspended || found.role == UserRole::Data {
        let what = if found.role == UserRole::Data { "has the role Data" } else { "is suspended" };
        faults.push(Fault::at(ErrorCode::Invalid, "user", format!("{} {what} and can't sign in.", found.email)));
    }
    let kept = expires_at.and_then(storable);
    if expires_at.is_some_and(|at| at <= tx.now) {
        faults.push(Fault::at(ErrorCode::Invalid, "expiresAt", "This moment has passed already."));
    } else if kept.is_none() && expires_at.is_some() {
        faults.push(Fault::at(
            ErrorCode::Invalid,
            "expiresAt",
            "A year up to 9999 is needed; leave it out for no end.",
        ));
    }
    none(faults)?;
    let (token, secret_hash) = new_token(tx.organization_id);
    let id: ApiTokenId = tx.clock.id();
    api_token::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        user_id: Set(user_id),
        name: Set(name),
        secret_hash: Set(secret_hash),
        created_at: Set(tx.now),
        expires_at: Set(kept),
        last_used_at: Set(None),
    }
    .insert(tx.connection())
    .await?;
    tx.commit().await?;
    Ok((id, token))
}

/// Revokes a token: it stops working at once.
///
/// # Errors
/// `NOT_FOUND`, also for a token that the viewer may not see.
pub async fn revoke(session: &Session, id: ApiTokenId) -> Result<ApiTokenId> {
    let tx = session.services.db.write(session.organization_id()).await?;
    let mine = |owner: UserId| owner == session.viewer.user_id || session.is_admin();
    api_token::Entity::find_by_id((tx.organization_id, id))
        .one(tx.connection())
        .await?
        .filter(|token| mine(token.user_id))
        .ok_or_else(|| Fault::at(ErrorCode::NotFound, "id", "There is no token with this id."))?;
    api_token::Entity::delete_by_id((tx.organization_id, id)).exec(tx.connection()).await?;
    tx.commit().await?;
    Ok(id)
}
