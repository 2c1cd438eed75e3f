//! Mapping by hand: one user, or several at once. All go through [`carry_out`]; the rows of a file, which may be a million,
//! through [`publish`](super::publish).

use std::collections::HashMap;

use entity::{Email, MappingId, OnExistingMapping, UserId, mapping};
use sea_orm::EntityTrait;

use super::carry_out::{Author, Wanted, carry_out};
use crate::service::{
    Session,
    crm_user::{self, CrmUserRef},
    error::{Error, ErrorCode, Fault, Faults, Result, Step, none},
    integration::{self as integrations, IntegrationRef},
    user::{UserRef, locate as users},
    value::email,
};

/// One mapping to be made by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMapping {
    pub user: UserRef,
    pub integration: IntegrationRef,
    pub crm_user: CrmUserRef,
    pub alias_email: Option<String>,
    pub on_existing: OnExistingMapping,
}

/// An address to sync a user's data under, as it is stored; empty is none.
///
/// # Errors
/// `INVALID_EMAIL` at `field`.
pub fn alias(text: Option<&str>, field: &'static str) -> Result<Option<Email>, Fault> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => email::parse(text)
            .map(|address| Some(Email(address)))
            .map_err(|problem| Fault::at(ErrorCode::InvalidEmail, field, problem.message)),
    }
}

/// Edit External ID: maps one user by hand. Where it is already as asked, nothing changes.
///
/// # Errors
/// `NOT_FOUND`, `USER_NOT_FOUND`, `CRM_USER_NOT_FOUND`, `CRM_USER_AMBIGUOUS`, `INVALID_EXTERNAL_ID`, `INVALID_EMAIL`,
/// `MAPPING_EXISTS`, `CRM_USER_TAKEN`.
pub async fn set(session: &Session, wanted: SetMapping) -> Result<MappingId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let integration =
        integrations::locate(tx.connection(), tx.organization_id, &wanted.integration, "integration").await?;
    let mut faults = Faults::new();
    let user = take(&mut faults, users::locate(tx.connection(), tx.organization_id, &[wanted.user], "user").await?);
    let target = take(
        &mut faults,
        crm_user::locate::locate(tx.connection(), &integration, &[wanted.crm_user], "crmUser").await?,
    );
    let alias_email = alias(wanted.alias_email.as_deref(), "aliasEmail").unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    none(faults)?;
    let (Some(user), Some(target)) = (user, target) else {
        return Err(Error::internal("a user or a CRM user is neither there nor missing"));
    };
    let wanted = Wanted { user: user.id, target: Some(target.id), alias_email, on_existing: Some(wanted.on_existing) };
    let author = Author { user: session.viewer.user_id, import_job: None };
    let done = carry_out(&tx, &integration, &[wanted], author).await?;
    let id = match done.into_iter().next() {
        Some(Ok(done)) => done.mapping,
        Some(Err(fault)) => return Err(rename(fault, "user", "crmUser").into()),
        None => return Err(Error::internal("a mapping was not settled")),
    };
    tx.commit().await?;
    Ok(id)
}

/// Ends a mapping. Linking does not make it again while both emails stay as they are.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where it has ended already.
pub async fn remove(session: &Session, id: MappingId) -> Result<MappingId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let found = mapping::Entity::find_by_id((tx.organization_id, id)).one(tx.connection()).await?;
    let found = found.ok_or_else(|| Fault::at(ErrorCode::NotFound, "id", "There is no mapping with this id."))?;
    if found.ended_at.is_some() {
        return Err(Fault::at(ErrorCode::WrongState, "id", "This mapping has ended already.").into());
    }
    let integration = IntegrationRef::Id(found.integration_id);
    let integration = integrations::locate(tx.connection(), tx.organization_id, &integration, "id").await?;
    let wanted = Wanted { user: found.user_id, target: Some(found.crm_user_id), alias_email: None, on_existing: None };
    let author = Author { user: session.viewer.user_id, import_job: None };
    let done = carry_out(&tx, &integration, &[wanted], author).await?;
    if let Some(Err(fault)) = done.into_iter().next() {
        return Err(fault.into());
    }
    tx.commit().await?;
    Ok(id)
}

/// Moves several users to other CRM users in one step: all of the items or, with faults, none. Targets may be swapped.
///
/// # Errors
/// As [`set`], each fault under `items` and its place; `INVALID` for a user named twice; `TOO_MANY` over 1,000 items.
pub async fn remap(
    session: &Session,
    integration: IntegrationRef,
    items: Vec<(UserRef, CrmUserRef)>,
) -> Result<Vec<MappingId>> {
    const MOST: usize = 1_000;
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let integration = integrations::locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    if items.len() > MOST {
        let message = format!("{} items came; {MOST} a call at most. Use importMappings for more.", items.len());
        return Err(Fault::at(ErrorCode::TooMany, "items", message).into());
    }
    let at = |i: usize, fault: Fault| fault.under([Step::Name("items"), Step::Index(i)]);
    let (user_refs, crm_refs): (Vec<UserRef>, Vec<CrmUserRef>) = items.into_iter().unzip();
    let users = users::locate(tx.connection(), tx.organization_id, &user_refs, "user").await?;
    let targets = crm_user::locate::locate(tx.connection(), &integration, &crm_refs, "crmUser").await?;
    let mut faults = Faults::new();
    let mut wanted = Vec::new();
    let mut seen: HashMap<UserId, usize> = HashMap::new();
    for (i, (user, target)) in users.into_iter().zip(targets).enumerate() {
        let (user, target) = match (user, target) {
            (Ok(user), Ok(target)) => (user, target),
            (user, target) => {
                faults.extend(user.err().into_iter().chain(target.err()).map(|fault| at(i, fault)));
                continue;
            }
        };
        if let Some(first) = seen.insert(user.id, i) {
            let message = format!("{} stands in item {first} already; name each user once.", user.email);
            faults.push(at(i, Fault::at(ErrorCode::Invalid, "user", message)));
            continue;
        }
        wanted.push(Wanted {
            user: user.id,
            target: Some(target.id),
            alias_email: None,
            on_existing: Some(OnExistingMapping::Replace),
        });
    }
    none(faults)?;
    let author = Author { user: session.viewer.user_id, import_job: None };
    let done = carry_out(&tx, &integration, &wanted, author).await?;
    let mut made = Vec::new();
    let mut faults = Faults::new();
    for (i, done) in done.into_iter().enumerate() {
        match done {
            Ok(done) => made.push(done.mapping),
            Err(fault) => faults.push(at(i, rename(fault, "user", "crmUser"))),
        }
    }
    none(faults)?;
    tx.commit().await?;
    Ok(made)
}

fn take<T>(faults: &mut Faults, found: Vec<Result<T, Fault>>) -> Option<T> {
    match found.into_iter().next()? {
        Ok(found) => Some(found),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

/// The faults of [`carry_out`] speak of a mappings file's columns; here they get a mutation's field names.
fn rename(mut fault: Fault, email: &'static str, external_id: &'static str) -> Fault {
    for step in &mut fault.path {
        match step {
            Step::Name("email") => *step = Step::Name(email),
            Step::Name("external_id") => *step = Step::Name(external_id),
            _ => {}
        }
    }
    fault
}
