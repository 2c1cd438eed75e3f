//! The order of an answer's fields: as the operation selects them (GraphQL specification, "Serialized Map Ordering").
//! The library has them in the order in which they came to an end.

use async_graphql::{
    Name, Value,
    indexmap::IndexMap,
    parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};

/// The fields that an operation selects below one place, fragments spelled out, by the names that they answer to.
#[derive(Debug, Default)]
pub struct Shape(IndexMap<Name, Shape>);

impl Shape {
    /// The shape of an operation. Its document has been found to be neither too large nor circular.
    pub fn of(document: &ExecutableDocument, operation: &OperationDefinition) -> Self {
        let mut shape = Self::default();
        shape.add(document, &operation.selection_set.node);
        shape
    }

    fn add(&mut self, document: &ExecutableDocument, selection_set: &SelectionSet) {
        for selection in &selection_set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let below = self.0.entry(field.node.response_key().node.clone()).or_default();
                    below.add(document, &field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => self.add(document, &inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    /// Puts a value of this shape, and all below it, into order.
    pub fn arrange(&self, value: &mut Value) {
        match value {
            Value::List(values) => values.iter_mut().for_each(|value| self.arrange(value)),
            Value::Object(fields) => {
                let mut selected = self.0.keys();
                if !fields.keys().all(|field| selected.any(|name| name == field)) {
                    fields.sort_by_cached_key(|field, _| self.0.get_index_of(field));
                }
                for (name, below) in self.0.iter().filter(|(_, below)| !below.0.is_empty()) {
                    if let Some(value) = fields.get_mut(name) {
                        below.arrange(value);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{parser::parse_query, value};

    use super::*;

    fn arranged(query: &str, mut data: Value) -> String {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        Shape::of(&document, &operation.node).arrange(&mut data);
        serde_json::to_string(&data).unwrap()
    }

    #[test]
    fn fields_come_as_they_are_selected() {
        let data = value!({ "users": [{ "email": "a", "mappings": [], "team": { "name": "t", "id": 1 } }, null] });
        assert_eq!(
            arranged("{ users { team { id name } email mappings { id } } }", data),
            r#"{"users":[{"team":{"id":1,"name":"t"},"email":"a","mappings":[]},null]}"#
        );
    }

    #[test]
    fn fragments_and_aliases_stand_where_they_are_spread() {
        let data = value!({ "node": { "email": "a", "who": "b", "id": 1, "team": { "path": "p", "name": "t" } } });
        let query = "{ node { ...F who: name email team { path } } } \
                     fragment F on User { id ... on User { team { name } } missing }";
        assert_eq!(arranged(query, data), r#"{"node":{"id":1,"team":{"name":"t","path":"p"},"who":"b","email":"a"}}"#);
    }
}
