//! The records of a fake, by id: a page costs what it holds, however many there are.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{FakeRole, FakeUser};

/// What has an id and a time of its last change.
pub(super) trait Record: Clone + Serialize + DeserializeOwned {
    fn id(&self) -> &str;
    fn with_id(self, id: String) -> Self;
    fn modified_at(&self) -> Option<DateTime<Utc>>;
    /// Fills in the times that are not said.
    fn stamp(&mut self, now: DateTime<Utc>);
    fn is_modified(&mut self, now: DateTime<Utc>);
}

impl Record for FakeUser {
    fn id(&self) -> &str {
        &self.id
    }

    fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }

    fn modified_at(&self) -> Option<DateTime<Utc>> {
        self.modified_at
    }

    fn stamp(&mut self, now: DateTime<Utc>) {
        self.created_at.get_or_insert(now);
        self.modified_at.get_or_insert(now);
    }

    fn is_modified(&mut self, now: DateTime<Utc>) {
        self.modified_at = Some(now);
    }
}

impl Record for FakeRole {
    fn id(&self) -> &str {
        &self.id
    }

    fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }

    fn modified_at(&self) -> Option<DateTime<Utc>> {
        self.modified_at
    }

    fn stamp(&mut self, now: DateTime<Utc>) {
        self.modified_at.get_or_insert(now);
    }

    fn is_modified(&mut self, now: DateTime<Utc>) {
        self.modified_at = Some(now);
    }
}

/// Records in the order of their ids. Who reads them holds them as they were; a page costs what it holds.
pub(super) type Rows<T> = Arc<Vec<Arc<T>>>;

/// Records, and those of them that changed since the time that was last asked for.
pub(super) struct Table<T> {
    rows: Rows<T>,
    changed: Option<(DateTime<Utc>, Rows<T>)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Rows::default(), changed: None }
    }
}

impl<T: Record> Table<T> {
    /// All of them, by id; or those that changed at that time or later, by that time and by id.
    pub fn rows(&mut self, since: Option<DateTime<Utc>>) -> Rows<T> {
        let Some(since) = since else { return Arc::clone(&self.rows) };
        match &self.changed {
            Some((known, rows)) if *known == since => Arc::clone(rows),
            _ => {
                let is_changed = |row: &&Arc<T>| row.modified_at().is_some_and(|time| time >= since);
                let rows: Rows<T> = Arc::new(self.rows.iter().filter(is_changed).cloned().collect());
                self.changed = Some((since, Arc::clone(&rows)));
                rows
            }
        }
    }

    pub fn set(&mut self, mut rows: Vec<T>, now: DateTime<Utc>) {
        rows.iter_mut().for_each(|row| row.stamp(now));
        rows.sort_by(|a, b| a.id().cmp(b.id()));
        rows.dedup_by(|a, b| a.id() == b.id());
        *self = Self { rows: Arc::new(rows.into_iter().map(Arc::new).collect()), changed: None };
    }

    pub fn get(&self, id: &str) -> Option<Arc<T>> {
        self.rows.binary_search_by(|row| row.id().cmp(id)).ok().and_then(|at| self.rows.get(at).cloned())
    }

    pub fn put(&mut self, mut row: T, now: DateTime<Utc>) {
        row.stamp(now);
        self.changed = None;
        let rows = Arc::make_mut(&mut self.rows);
        match rows.binary_search_by(|known| known.id().cmp(row.id())) {
            Ok(at) => {
                if let Some(known) = rows.get_mut(at) {
                    *known = Arc::new(row);
                }
            }
            Err(at) => rows.insert(at, Arc::new(row)),
        }
    }

    /// Changes what the patch names; what it does not name stays, `null` empties.
    pub fn patch(&mut self, id: &str, patch: &Value, now: DateTime<Utc>) -> Result<Arc<T>, String> {
        let known = self.get(id).ok_or_else(|| format!("there is nothing with the id {id}"))?;
        let mut value = serde_json::to_value(&*known).map_err(|error| error.to_string())?;
        let (Some(fields), Some(patch)) = (value.as_object_mut(), patch.as_object()) else {
            return Err("give an object with the fields to change".to_owned());
        };
        fields.extend(patch.clone());
        let mut row = T::with_id(serde_json::from_value(value).map_err(|error| error.to_string())?, id.to_owned());
        if !patch.contains_key("modifiedAt") {
            row.is_modified(now);
        }
        self.put(row, now);
        self.get(id).ok_or_else(|| "this did not stay".to_owned())
    }
}
