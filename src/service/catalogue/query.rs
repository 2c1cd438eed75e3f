//! Finding licences and configuration profiles.

use std::collections::HashMap;

use entity::{ConfigurationProfileId, LicenseId, UserId, configuration_profile, license};

use crate::service::{Session, error::Result, list};

/// All licences, by name.
pub async fn licenses(session: &Session) -> Result<Vec<license::Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM license WHERE ").equals("organization_id", session.organization_id());
    sql.push(" ORDER BY name, id");
    Ok(sql.all(session.reader()).await?)
}

pub async fn licenses_by_id(session: &Session, ids: &[LicenseId]) -> Result<HashMap<LicenseId, license::Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM license WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND ").any_id("id", ids);
    list::keyed(session, sql, |license: &license::Model| license.id).await
}

/// Each user's licences, by name. Users without any are not in the answer.
pub async fn licenses_of(session: &Session, users: &[UserId]) -> Result<HashMap<UserId, Vec<license::Model>>> {
    let mut sql = session.sql();
    sql.push(
        "SELECT h.user_id AS parent_key, x.* FROM user_license h \
         JOIN license x ON x.organization_id = h.organization_id AND x.id = h.license_id WHERE ",
    );
    sql.equals("h.organization_id", session.organization_id()).push(" AND ").any_id("h.user_id", users);
    sql.push(" ORDER BY x.name, x.id");
    list::grouped(session, sql).await
}

/// All configuration profiles, by name.
pub async fn profiles(session: &Session) -> Result<Vec<configuration_profile::Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM configuration_profile WHERE ").equals("organization_id", session.organization_id());
    sql.push(" ORDER BY name, id");
    Ok(sql.all(session.reader()).await?)
}

pub async fn profiles_by_id(
    session: &Session,
    ids: &[ConfigurationProfileId],
) -> Result<HashMap<ConfigurationProfileId, configuration_profile::Model>> {
    let mut sql = session.sql();
    sql.push("SELECT * FROM configuration_profile WHERE ").equals("organization_id", session.organization_id());
    sql.push(" AND ").any_id("id", ids);
    list::keyed(session, sql, |profile: &configuration_profile::Model| profile.id).await
}
