//! Teams and their hierarchy.

pub mod change;
pub mod query;
pub mod tree;

use entity::TeamId;

pub use tree::Tree;

/// A team as an input names it; the path as in `value::team_path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum TeamRef {
    Id(TeamId),
    Path(String),
}
