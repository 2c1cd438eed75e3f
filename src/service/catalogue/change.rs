//! Changing the catalogues.

use entity::{ConfigurationProfileId, LicenseId, configuration_profile, license};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use uuid::Uuid;

use super::{LicenseRef, ProfileRef};
use crate::service::{
    Session,
    db::Tx,
    error::{Error, ErrorCode, Fault, Result},
    value::name,
};

/// The two catalogues, and what a person calls an entry.
#[derive(Clone, Copy)]
enum Catalogue {
    Licenses,
    Profiles,
}

impl Catalogue {
    fn table(self) -> &'static str {
        match self {
            Self::Licenses => "license",
            Self::Profiles => "configuration_profile",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Licenses => "licence",
            Self::Profiles => "configuration profile",
        }
    }

    /// The field that names an entry in an input.
    fn field(self) -> &'static str {
        match self {
            Self::Licenses => "license",
            Self::Profiles => "configurationProfile",
        }
    }

    /// The users who have the entry.
    fn users(self) -> &'static str {
        match self {
            Self::Licenses => {
                "user_license x JOIN app_user u ON u.organization_id = x.organization_id AND u.id = x.user_id"
            }
            Self::Profiles => "app_user u",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Licenses => "x.license_id",
            Self::Profiles => "u.configuration_profile_id",
        }
    }
}

/// How an input names an entry.
enum Named<'a> {
    Id(Uuid),
    Name(&'a str),
    Default,
}

fn checked(catalogue: Catalogue, text: &str) -> Result<String> {
    name::check(catalogue.noun(), text).map_err(|why| Fault::at(ErrorCode::Invalid, "name", why).into())
}

fn taken(catalogue: Catalogue, name: &str, error: Error) -> Error {
    if error.is_unique_violation() {
        let message = format!("There already is a {} named {name:?}. Choose another name.", catalogue.noun());
        Fault::at(ErrorCode::AlreadyExists, "name", message).into()
    } else {
        error
    }
}

async fn find(tx: &Tx, catalogue: Catalogue, named: Named<'_>) -> Result<Uuid> {
    let mut sql = tx.sql();
    sql.push("SELECT id FROM ").push(catalogue.table()).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ");
    match named {
        Named::Id(id) => sql.equals("id", id),
        Named::Name(name) => sql.equals("name", name),
        Named::Default => sql.push("is_default"),
    };
    let found = sql.map(tx.connection(), |row| row.try_get("", "id")).await?.pop();
    found.ok_or_else(|| {
        let message = format!("There is no such {}.", catalogue.noun());
        Fault::at(ErrorCode::NotFound, catalogue.field(), message).into()
    })
}

async fn rename(session: &Session, catalogue: Catalogue, named: Named<'_>, new_name: &str) -> Result<Uuid> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let id = find(&tx, catalogue, named).await?;
    let new_name = checked(catalogue, new_name)?;
    let mut sql = tx.sql();
    sql.push("UPDATE ").push(catalogue.table()).push(" SET ").equals("name", new_name.clone()).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", id);
    tx.execute(sql).await.map_err(|error| taken(catalogue, &new_name, error))?;
    tx.commit().await?;
    Ok(id)
}

/// # Errors
/// `WRONG_STATE` while users have the entry.
async fn unused(tx: &Tx, catalogue: Catalogue, id: Uuid) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM ").push(catalogue.users()).push(" WHERE u.deleted_at IS NULL AND ");
    sql.equals("u.organization_id", tx.organization_id).push(" AND ").equals(catalogue.column(), id);
    let users = sql.number(tx.connection()).await?;
    if users > 0 {
        let have = if users == 1 { "A user has".to_owned() } else { format!("{users} users have") };
        let message = format!("{have} this {}. Take it from them first.", catalogue.noun());
        return Err(Fault::at(ErrorCode::WrongState, catalogue.field(), message).into());
    }
    Ok(())
}

async fn delete(tx: &Tx, catalogue: Catalogue, id: Uuid) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM ").push(catalogue.table()).push(" WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("id", id);
    tx.execute(sql).await?;
    Ok(())
}

fn license_named(license: &LicenseRef) -> Named<'_> {
    match license {
        LicenseRef::Id(id) => Named::Id(id.0),
        LicenseRef::Name(name) => Named::Name(name),
    }
}

fn profile_named(profile: &ProfileRef) -> Named<'_> {
    match profile {
        ProfileRef::Id(id) => Named::Id(id.0),
        ProfileRef::Name(name) => Named::Name(name),
        ProfileRef::Default => Named::Default,
    }
}

/// Adds a licence to the catalogue.
///
/// # Errors
/// `INVALID`, `ALREADY_EXISTS`.
pub async fn create_license(session: &Session, name: String) -> Result<LicenseId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let name = checked(Catalogue::Licenses, &name)?;
    let id: LicenseId = tx.clock.id();
    let row = license::ActiveModel { organization_id: Set(tx.organization_id), id: Set(id), name: Set(name.clone()) };
    row.insert(tx.connection()).await.map_err(|error| taken(Catalogue::Licenses, &name, error.into()))?;
    tx.commit().await?;
    Ok(id)
}

/// Gives a licence another name.
///
/// # Errors
/// `NOT_FOUND`, `INVALID`, `ALREADY_EXISTS`.
pub async fn rename_license(session: &Session, license: LicenseRef, name: String) -> Result<LicenseId> {
    Ok(LicenseId(rename(session, Catalogue::Licenses, license_named(&license), &name).await?))
}

/// Takes a licence that nobody holds out of the catalogue.
///
/// # Errors
/// `NOT_FOUND`, `WRONG_STATE`.
pub async fn delete_license(session: &Session, license: LicenseRef) -> Result<LicenseId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let id = find(&tx, Catalogue::Licenses, license_named(&license)).await?;
    unused(&tx, Catalogue::Licenses, id).await?;
    delete(&tx, Catalogue::Licenses, id).await?;
    tx.commit().await?;
    Ok(LicenseId(id))
}

/// Adds a configuration profile to the catalogue.
///
/// # Errors
/// `INVALID`, `ALREADY_EXISTS`.
pub async fn create_profile(session: &Session, name: String) -> Result<ConfigurationProfileId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let name = checked(Catalogue::Profiles, &name)?;
    let id: ConfigurationProfileId = tx.clock.id();
    let row = configuration_profile::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        name: Set(name.clone()),
        is_default: Set(false),
    };
    row.insert(tx.connection()).await.map_err(|error| taken(Catalogue::Profiles, &name, error.into()))?;
    tx.commit().await?;
    Ok(id)
}

/// Gives a configuration profile another name.
///
/// # Errors
/// `NOT_FOUND`, `INVALID`, `ALREADY_EXISTS`.
pub async fn rename_profile(session: &Session, profile: ProfileRef, name: String) -> Result<ConfigurationProfileId> {
    Ok(ConfigurationProfileId(rename(session, Catalogue::Profiles, profile_named(&profile), &name).await?))
}

/// Takes a configuration profile that nobody has out of the catalogue; users who are gone get the default one.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` for the default profile, and for one that users have.
pub async fn delete_profile(session: &Session, profile: ProfileRef) -> Result<ConfigurationProfileId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let id = find(&tx, Catalogue::Profiles, profile_named(&profile)).await?;
    let default = find(&tx, Catalogue::Profiles, Named::Default).await?;
    if id == default {
        let message = "The default configuration profile can't be deleted: new users get it.";
        return Err(Fault::at(ErrorCode::WrongState, Catalogue::Profiles.field(), message).into());
    }
    unused(&tx, Catalogue::Profiles, id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE app_user SET ").equals("configuration_profile_id", default).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("configuration_profile_id", id);
    tx.execute(sql).await?;
    configuration_profile::Entity::delete_by_id((tx.organization_id, ConfigurationProfileId(id)))
        .exec(tx.connection())
        .await?;
    tx.commit().await?;
    Ok(ConfigurationProfileId(id))
}
