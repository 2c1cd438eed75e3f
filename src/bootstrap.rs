//! The first rows: an organisation with its catalogue, its administrator, and a token to begin with.

use entity::{
    ApiTokenId, ConfigurationProfileId, Email, LicenseId, ManageMode, ObjectVisibility, OrganizationId, UserId,
    UserRole, UserStatus, api_token, configuration_profile, license, organization,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbBackend, EntityTrait};
use uuid::Uuid;

use crate::service::{
    Error, ErrorCode, Fault, Result,
    db::{Db, Sql, Tx},
    session,
    user::{
        Attributes, Patch, UserRef,
        apply::{Change, Operation, Options, apply},
    },
    value::{email, name},
};

/// The licences that every organisation's catalogue starts with.
pub const LICENSES: [&str; 4] =
    ["Foundation", "Engagement Dashboard", "Forecasting", "Unified Backstory Application Enterprise"];

/// The default profile that every organisation's catalogue starts with.
pub const DEFAULT_PROFILE: &str = "Default: Intake Off";

/// Two processes that make organisations make them one after the other.
const BOOTSTRAP_LOCK: i64 = 0x636f_756e_7465_7271;

/// An administrator who can sign in.
#[derive(Debug, Clone)]
pub struct Administrator {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    /// A new API token; it is kept nowhere.
    pub token: String,
}

/// Makes the organisation and its administrator, or finds them; a new token in either case.
///
/// # Errors
/// Faults where the name or the email can't be used, or the email is that of a user who is no active administrator.
pub async fn administrator(db: &Db, organization: &str, email: &str) -> Result<Administrator> {
    let name = name::check("organisation", organization).map_err(|why| Fault::new(ErrorCode::Invalid, why))?;
    let tx = match find_organization(Sql::new(db.backend()), Some(&name), db.reader()).await? {
        Some(id) => db.write(id).await?,
        None => begin(db).await?,
    };
    make(tx, &name, email).await
}

/// The same on a database without any organisation; `None`, and nothing done, on one that has one.
///
/// # Errors
/// As for [`administrator`].
pub async fn first_start(db: &Db, organization: &str, email: &str) -> Result<Option<Administrator>> {
    // Asked first without the lock, so that a start does not wait for whoever writes.
    if find_organization(Sql::new(db.backend()), None, db.reader()).await?.is_some() {
        return Ok(None);
    }
    let name = name::check("organisation", organization).map_err(|why| Fault::new(ErrorCode::Invalid, why))?;
    let tx = begin(db).await?;
    if find_organization(tx.sql(), None, tx.connection()).await?.is_some() {
        return Ok(None);
    }
    make(tx, &name, email).await.map(Some)
}

/// The organisation of this name, or any.
async fn find_organization(
    mut sql: Sql,
    name: Option<&str>,
    db: &impl ConnectionTrait,
) -> Result<Option<OrganizationId>> {
    sql.push("SELECT id FROM organization");
    if let Some(name) = name {
        sql.push(" WHERE ").equals("name", name);
    }
    sql.push(" LIMIT 1");
    Ok(sql.map(db, |row| row.try_get("", "id")).await?.pop())
}

async fn begin(db: &Db) -> Result<Tx> {
    let tx = db.begin().await?;
    if tx.backend == DbBackend::Postgres {
        let mut lock = tx.sql();
        lock.push("SELECT pg_advisory_xact_lock(").bind(BOOTSTRAP_LOCK).push(")");
        tx.connection().query_one_raw(lock.statement()).await?;
    }
    Ok(tx)
}

async fn make(mut tx: Tx, name: &str, email: &str) -> Result<Administrator> {
    let email =
        email::parse(email).map_err(|problem| Fault::new(ErrorCode::InvalidEmail, problem.to_string())).map(Email)?;
    let organization_id = match find_organization(tx.sql(), Some(name), tx.connection()).await? {
        Some(id) => id,
        None => make_organization(&tx, name).await?,
    };
    tx.organization_id = organization_id;
    let user_id = match find_administrator(&tx, &email).await? {
        Some(id) => id,
        None => make_administrator(&tx, email).await?,
    };
    let (token, secret_hash) = session::new_token(organization_id);
    let row = api_token::ActiveModel {
        organization_id: Set(organization_id),
        id: Set(tx.clock.id::<ApiTokenId>()),
        user_id: Set(user_id),
        name: Set("Made on the command line".to_owned()),
        secret_hash: Set(secret_hash),
        created_at: Set(tx.now),
        expires_at: Set(None),
        last_used_at: Set(None),
    };
    api_token::Entity::insert(row).exec_without_returning(tx.connection()).await?;
    tx.commit().await?;
    Ok(Administrator { organization_id, user_id, token })
}

/// Adds an organisation with the catalogue that each one starts with.
async fn make_organization(tx: &Tx, name: &str) -> Result<OrganizationId> {
    let id: OrganizationId = tx.clock.id();
    let row = organization::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        manage_mode: Set(ManageMode::Manual),
        created_at: Set(tx.now),
        updated_at: Set(tx.now),
    };
    organization::Entity::insert(row).exec_without_returning(tx.connection()).await?;
    let licenses = LICENSES.map(|name| license::ActiveModel {
        organization_id: Set(id),
        id: Set(tx.clock.id::<LicenseId>()),
        name: Set(name.to_owned()),
    });
    license::Entity::insert_many(licenses).exec_without_returning(tx.connection()).await?;
    let profile = configuration_profile::ActiveModel {
        organization_id: Set(id),
        id: Set(tx.clock.id::<ConfigurationProfileId>()),
        name: Set(DEFAULT_PROFILE.to_owned()),
        is_default: Set(true),
    };
    configuration_profile::Entity::insert(profile).exec_without_returning(tx.connection()).await?;
    Ok(id)
}

/// The user with this email, where it is an active administrator.
async fn find_administrator(tx: &Tx, email: &Email) -> Result<Option<UserId>> {
    let mut sql = tx.sql();
    sql.push("SELECT id, role, status FROM app_user WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("email", email.clone()).push(" AND deleted_at IS NULL");
    let found = sql
        .map(tx.connection(), |row| Ok((row.try_get("", "id")?, row.try_get("", "role")?, row.try_get("", "status")?)))
        .await?
        .pop();
    match found {
        None => Ok(None),
        Some((id, UserRole::Admin, UserStatus::Active)) => Ok(Some(id)),
        Some((_, role, status)) => {
            let what = if status == UserStatus::Active { role.as_str() } else { status.as_str() };
            let message = format!(
                "{email} is a user of the organisation, but no active administrator ({what}): give the email of one, \
                 or one that nobody has yet."
            );
            Err(Error::from(Fault::new(ErrorCode::WrongState, message)))
        }
    }
}

async fn make_administrator(tx: &Tx, email: Email) -> Result<UserId> {
    let change = Change {
        user: UserRef::Email(email.0.clone()),
        operation: Operation::Add,
        attributes: Attributes {
            email: Patch::Set(email.0),
            role: Patch::Set(UserRole::Admin),
            object_visibility: Patch::Set(ObjectVisibility::Full),
            ..Attributes::default()
        },
        flawed: false,
        line: None,
    };
    // Nobody has signed in: only an ended mapping would name who did it, and an addition ends none.
    let options = Options::of(UserId(Uuid::nil()));
    match apply(tx, &[change], &options).await?.pop() {
        Some(Ok(applied)) => Ok(applied.user),
        Some(Err(faults)) => Err(Error::Faults(faults)),
        None => Err(Error::internal("the administrator was neither made nor refused")),
    }
}
