//! Teams and their hierarchy.

pub mod query;

use entity::TeamId;

/// A team as an input names it; the path as in `value::team_path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum TeamRef {
    Id(TeamId),
    Path(String),
}
