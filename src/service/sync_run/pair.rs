//! A staged CRM user beside the one that is there.

use std::collections::HashMap;

use entity::{CrmUserId, Email, ExternalId, SyncChangeKind, SyncRunId, integration};
use sea_orm::{DbErr, QueryResult};

use crate::service::{
    clock::Time, csv::crm_users as column, db::Tx, error::Result, linking::receipt::Change, user::apply::FieldChange,
};

/// Pairs are read in pieces of this size.
const CHUNK: i64 = 5_000;

/// What the CRM says of its user.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Attributes {
    pub email: Option<Email>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    pub team: Option<String>,
    pub role: Option<String>,
    pub is_active: bool,
    pub crm_created_at: Option<Time>,
}

/// Where the CRM's hierarchy places its users.
#[derive(Debug)]
pub(super) enum Places {
    /// Where the receipt says.
    Given,
    /// Where their role is: the team paths of the roles that have one.
    Roles(HashMap<String, String>),
}

impl Attributes {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            email: row.try_get("", "email")?,
            name: row.try_get("", "name")?,
            username: row.try_get("", "username")?,
            title: row.try_get("", "title")?,
            team: row.try_get("", "team")?,
            role: row.try_get("", "role_external_id")?,
            is_active: row.try_get("", "is_active")?,
            crm_created_at: row.try_get("", "crm_created_at")?,
        })
    }

    /// Takes from `old` what a receipt without these columns of `csv::crm_users` leaves as it is. One that does not say
    /// when the CRM made the user does not unsay it.
    fn keep(&mut self, absent: &[usize], old: &Self) {
        let old = old.clone();
        self.role = self.role.take().or(old.role);
        self.crm_created_at = self.crm_created_at.or(old.crm_created_at);
        let is_absent = |column: usize| absent.contains(&column);
        if is_absent(column::EMAIL) {
            self.email = old.email;
        }
        if is_absent(column::NAME) {
            self.name = old.name;
        }
        if is_absent(column::USERNAME) {
            self.username = old.username;
        }
        if is_absent(column::TITLE) {
            self.title = old.title;
        }
        if is_absent(column::TEAM) {
            self.team = old.team;
        }
        if is_absent(column::IS_ACTIVE) {
            self.is_active = old.is_active;
        }
    }

    /// The texts that a search finds the CRM user by.
    fn texts(&self, id: &ExternalId) -> Vec<String> {
        let email = self.email.as_ref().map(Email::as_str);
        let texts = [Some(id.as_str()), email, self.name.as_deref(), self.username.as_deref()];
        texts.into_iter().flatten().map(str::to_owned).collect()
    }
}

/// A staged row beside the CRM user that is there.
#[derive(Debug)]
pub(super) struct Pair {
    pub line: i64,
    /// The CRM user's; of one that is not there yet the one it is to have.
    pub id: CrmUserId,
    pub external_id: ExternalId,
    /// The cells as they stand in the file, as a JSON array.
    pub cells: Option<String>,
    pub old: Option<Attributes>,
    pub new: Attributes,
}

impl Pair {
    /// What a search finds it by, before and after.
    pub fn texts(&self) -> (Vec<String>, Vec<String>) {
        let before = self.old.as_ref().map(|old| old.texts(&self.external_id));
        (before.unwrap_or_default(), self.new.texts(&self.external_id))
    }

    /// Whether the CRM user becomes inactive.
    pub fn is_deactivated(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.is_active) && !self.new.is_active
    }

    /// That it becomes inactive, for the list of what was done.
    pub fn deactivation(&self) -> Change {
        Change {
            crm_user: Some(self.id),
            email: self.new.email.clone(),
            external_id: Some(self.external_id.0.clone()),
            ..Change::of(SyncChangeKind::Deactivated)
        }
    }

    /// What changes about the CRM user; all that it has where it is not there yet.
    pub fn differences(&self) -> Vec<FieldChange> {
        let (nothing, new) = (Attributes::default(), &self.new);
        let old = self.old.as_ref().unwrap_or(&nothing);
        let was_active = self.old.as_ref().map(|old| old.is_active.to_string());
        let mut changes = Vec::new();
        let mut compare = |field: &str, before: Option<String>, after: Option<String>| {
            if before != after {
                changes.push(FieldChange { field: field.to_owned(), before, after });
            }
        };
        let email = |email: &Option<Email>| email.as_ref().map(|email| email.0.clone());
        let time = |time: &Option<Time>| time.map(|time| time.to_rfc3339());
        compare("email", email(&old.email), email(&new.email));
        compare("name", old.name.clone(), new.name.clone());
        compare("username", old.username.clone(), new.username.clone());
        compare("title", old.title.clone(), new.title.clone());
        compare("team", old.team.clone(), new.team.clone());
        compare("isActive", was_active, Some(new.is_active.to_string()));
        compare("createdAt", time(&old.crm_created_at), time(&new.crm_created_at));
        changes
    }
}

/// The staged rows behind `after`, up to a chunk, each with the CRM user that is there.
///
/// Not a join: PostgreSQL can't know how many CRM users this transaction has made, and with a plan for none it would go
/// over all of them for each staged row.
pub(super) async fn load(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    after: i64,
    absent: &[usize],
    places: &Places,
) -> Result<Vec<Pair>> {
    let mut sql = tx.sql();
    sql.push("SELECT line, new_id, external_id, email, name, username, title, team, role_external_id, ");
    sql.push("is_active, crm_created_at, cells FROM crm_user_stage WHERE ")
        .equals("organization_id", tx.organization_id)
        .push(" AND ");
    sql.equals("sync_run_id", run).push(" AND line > ").bind(after).push(" ORDER BY line LIMIT ").bind(CHUNK);
    let read = |row: &QueryResult| {
        Ok(Pair {
            line: row.try_get("", "line")?,
            id: row.try_get("", "new_id")?,
            external_id: row.try_get("", "external_id")?,
            cells: row.try_get("", "cells")?,
            old: None,
            new: Attributes::read(row)?,
        })
    };
    let mut pairs: Vec<Pair> = sql.map(tx.connection(), read).await?;
    let ids: Vec<&str> = pairs.iter().map(|pair| pair.external_id.as_str()).collect();
    let mut sql = tx.sql();
    sql.push("SELECT id, external_id, email, name, username, title, team, role_external_id, is_active, ");
    sql.push("crm_created_at FROM crm_user WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("integration_id", integration.id);
    sql.push(" AND ").any_text("external_id", &ids);
    let read = |row: &QueryResult| {
        let id: ExternalId = row.try_get("", "external_id")?;
        Ok((id.0, (row.try_get("", "id")?, Attributes::read(row)?)))
    };
    let known: Vec<(String, (CrmUserId, Attributes))> = sql.map(tx.connection(), read).await?;
    let mut known: HashMap<String, (CrmUserId, Attributes)> = known.into_iter().collect();
    for pair in &mut pairs {
        if let Places::Roles(paths) = places {
            pair.new.team = pair.new.role.as_ref().and_then(|role| paths.get(role)).cloned();
        }
        if let Some((id, old)) = known.remove(pair.external_id.as_str()) {
            match places {
                Places::Given => pair.new.keep(absent, &old),
                Places::Roles(_) => pair.new.crm_created_at = pair.new.crm_created_at.or(old.crm_created_at),
            }
            pair.id = id;
            pair.old = Some(old);
        }
    }
    Ok(pairs)
}
