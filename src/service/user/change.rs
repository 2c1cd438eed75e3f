//! Changing one user. The rules are [`apply`](super::apply)'s, which a CSV import calls too.

use entity::UserId;

use super::{
    Attributes, UserRef,
    apply::{Change, Operation, Options, apply},
};
use crate::service::{
    Session,
    error::{Error, Result},
};

async fn one(session: &Session, user: UserRef, operation: Operation, attributes: Attributes) -> Result<UserId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let options = Options::of(session.viewer.user_id);
    let done = apply(&tx, &[Change { user, operation, attributes, flawed: false, line: None }], &options).await?;
    let id = match done.into_iter().next() {
        Some(Ok(applied)) => applied.user,
        Some(Err(faults)) => return Err(Error::Faults(faults)),
        None => return Err(Error::internal("a change of a user had no outcome")),
    };
    tx.commit().await?;
    Ok(id)
}

/// Makes a user and links it where it can be linked.
///
/// # Errors
/// `INVALID_EMAIL`, `ALREADY_EXISTS`, `INVALID`, `NOT_FOUND`, `TEAM_NOT_FOUND`, `LOCKED_BY_CRM`.
pub async fn create(session: &Session, attributes: Attributes) -> Result<UserId> {
    let email = attributes.email.value().cloned().unwrap_or_default();
    one(session, UserRef::Email(email), Operation::Add, attributes).await
}

/// Changes a user; what is left out stays.
///
/// # Errors
/// As [`create`], and `USER_NOT_FOUND`, `LAST_ADMIN`.
pub async fn update(session: &Session, user: UserRef, attributes: Attributes) -> Result<UserId> {
    one(session, user, Operation::Edit, attributes).await
}

/// Suspends a user: signs it out and keeps its mappings. A suspended one stays as it is.
///
/// # Errors
/// `NOT_FOUND`, `USER_NOT_FOUND`, `LAST_ADMIN`.
pub async fn suspend(session: &Session, user: UserRef) -> Result<UserId> {
    one(session, user, Operation::Suspend, Attributes::default()).await
}

/// Undoes [`suspend`].
///
/// # Errors
/// `NOT_FOUND`, `USER_NOT_FOUND`.
pub async fn reactivate(session: &Session, user: UserRef) -> Result<UserId> {
    one(session, user, Operation::Reactivate, Attributes::default()).await
}

/// Deletes a user: its mappings end, its tokens are gone, its email can be used again; history still names it.
///
/// # Errors
/// `NOT_FOUND`, `USER_NOT_FOUND`, `LAST_ADMIN`.
pub async fn delete(session: &Session, user: UserRef) -> Result<UserId> {
    one(session, user, Operation::Delete, Attributes::default()).await
}
