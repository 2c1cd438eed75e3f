//! The keys that stand in a file more than once, to tell the second row of a key.
//!
//! A first reading leaves a 64-bit hash of each key, and of these only those that come more than once; a place is
//! remembered for them alone. A hit is verified by reading that row again, so that two keys of one hash are not taken for
//! one.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::service::csv::Position;

#[derive(Debug, Default)]
pub struct Seen {
    repeated: HashSet<u64>,
    places: HashMap<u64, Position>,
}

/// The hash of a key.
pub fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Seen {
    /// For a file whose keys have these hashes.
    pub fn among(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        let repeated = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        Self { repeated, places: HashMap::new() }
    }

    /// Whether no key comes twice.
    pub fn is_empty(&self) -> bool {
        self.repeated.is_empty()
    }

    /// Where the first row of this key stands, or `None` and from now on `here`.
    ///
    /// `key_at` reads the key of the row at a place.
    pub fn first<E>(
        &mut self,
        key: &str,
        here: Position,
        mut key_at: impl FnMut(Position) -> Result<Option<String>, E>,
    ) -> Result<Option<Position>, E> {
        let mut hash = hash(key);
        if !self.repeated.contains(&hash) {
            return Ok(None);
        }
        loop {
            match self.places.get(&hash) {
                None => {
                    self.places.insert(hash, here);
                    return Ok(None);
                }
                Some(place) if place.offset == here.offset => return Ok(None),
                Some(place) if key_at(*place)?.as_deref() == Some(key) => return Ok(Some(*place)),
                // Another key of the same hash has this place; the next is as good.
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u64) -> Position {
        Position { offset: line * 10, line }
    }

    #[test]
    fn the_first_row_of_a_key_is_told() {
        let mut seen = Seen::among(["a", "b", "a", "b", "c"].map(hash).to_vec());
        let keys = |place: Position| Ok::<_, ()>(Some(if place.line == 2 { "a" } else { "b" }.to_owned()));
        assert_eq!(seen.first("a", at(2), keys), Ok(None));
        assert_eq!(seen.first("b", at(3), keys), Ok(None));
        assert_eq!(seen.first("a", at(4), keys), Ok(Some(at(2))));
        assert_eq!(seen.first("b", at(5), keys), Ok(Some(at(3))));
        assert_eq!(seen.first("c", at(6), keys), Ok(None));
        assert_eq!(seen.places.len(), 2);
    }

    #[test]
    fn two_keys_of_one_hash_are_two() {
        let mut seen = Seen::among(vec![hash("a"), hash("a")]);
        // The row that the hash leads to turns out to hold another key.
        assert_eq!(seen.first("a", at(2), |_| Ok::<_, ()>(None)), Ok(None));
        assert_eq!(seen.first("a", at(3), |_| Ok::<_, ()>(Some("x".to_owned()))), Ok(None));
        assert_eq!(seen.places.len(), 2);
    }
}
