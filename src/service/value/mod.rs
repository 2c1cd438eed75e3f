//! What a single value looks like: parsing, normalising and writing of the values that come in from outside.
//!
//! Pure functions over text. Every way in (a mutation, a CSV row, a sync) uses the same ones, so that a value is
//! normalised once and is the same everywhere. Whether a value *exists* is the services' question, not these.

pub mod email;
pub mod external_id;
pub mod list;
pub mod name;
pub mod team_path;
pub mod text;
