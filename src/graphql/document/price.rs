//! The price of an operation: how many fields its answer may have, by the size of the pages that it asks for.
//!
//! A field costs 1, whatever its name or alias. What is below a list costs as many times as the list may have items: a
//! page's `first` or `last`, the number of `ids`, [`SEVERAL`] for a list without pages. What costs more than its fields
//! show has a price of its own, by what it was measured to take (`bench worst` looks for what is priced too low): a field
//! is about a microsecond of the processor's time at the least, so that an operation at the default limit takes a tenth of a
//! second. Lists of `Query` are read one by one; those further down in one go for all their parents.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::Value,
    executable::{Field, Operation, Selection, SelectionSet},
};
use async_graphql::{Value as Constant, Variables};

use crate::service::page::{DEFAULT_SIZE, MAX_SIZE};

/// Items of a list without pages; such lists are short.
const SEVERAL: u64 = 4;
/// A field of `Mutation`: statements, a lock, history.
const MUTATION: u64 = 100;
/// `Link.candidates`: a search through the CRM's users.
const CANDIDATES: u64 = 100;
/// A list of `Query`'s, be it counted or read.
const STATEMENT: u64 = 350;
/// A row of it.
const ROW: u64 = 20;
/// Those that meet a filter are looked for, and counted.
const FILTER: u64 = 5_000;
/// Those that have words like these in them.
const SEARCH: u64 = 10_000;
/// `__schema`, whatever is selected of it: its lists may nest only so deep, so that it comes to all of the schema at most.
const SCHEMA: u64 = 25_000;
/// `__type`.
const TYPE: u64 = 2_500;

/// The price of an operation, whose document has been validated.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &Variables) -> u64 {
    let mut walk = Walk { document, variables, fragments: HashMap::new() };
    let below = walk.selections(&operation.selection_set, None);
    if operation.is_mutation() {
        let fields = operation.root_fields(document).count() as u64;
        return below.saturating_add(fields.saturating_mul(MUTATION));
    }
    below
}

/// Whether an operation asks for the schema; `__typename` is none of it.
pub fn asks_for_schema(document: &ExecutableDocument, operation: &Operation) -> bool {
    operation.root_fields(document).any(|field| matches!(field.name.as_str(), "__schema" | "__type"))
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// What fragments come to, by the size of the page that they are about.
    fragments: HashMap<(&'a Name, Option<u64>), u64>,
}

impl<'a> Walk<'a> {
    /// `page` is the size of the page whose `nodes` and `edges` may be among the selected fields.
    fn selections(&mut self, selected: &'a SelectionSet, page: Option<u64>) -> u64 {
        let mut sum: u64 = 0;
        for selection in &selected.selections {
            sum = sum.saturating_add(match selection {
                Selection::Field(field) if selected.ty == "Query" => {
                    self.read_alone(field).saturating_add(self.field(field, page))
                }
                Selection::Field(field) => self.field(field, page),
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set, page),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, page),
            });
        }
        sum
    }

    fn fragment(&mut self, name: &'a Name, page: Option<u64>) -> u64 {
        if let Some(price) = self.fragments.get(&(name, page)) {
            return *price;
        }
        let fragment = self.document.fragments.get(name);
        let price = fragment.map_or(0, |fragment| self.selections(&fragment.selection_set, page));
        self.fragments.insert((name, page), price);
        price
    }

    fn field(&mut self, field: &'a Node<Field>, page: Option<u64>) -> u64 {
        match field.name.as_str() {
            "__schema" => return SCHEMA,
            "__type" => return TYPE,
            _ => {}
        }
        let has_pages = field.definition.arguments.iter().any(|argument| argument.name == "first");
        let is_list = field.definition.ty.is_list();
        let own = if field.name == "candidates" { CANDIDATES } else { 1 };
        let (items, below) = if has_pages && is_list {
            (self.size(field), self.selections(&field.selection_set, None))
        } else if has_pages {
            let size = self.size(field);
            (1, self.selections(&field.selection_set, Some(size)))
        } else if let (true, Some(ids)) = (is_list, self.length(field, "ids")) {
            (ids, self.selections(&field.selection_set, None))
        } else if is_list {
            (page.unwrap_or(SEVERAL), self.selections(&field.selection_set, None))
        } else {
            (1, self.selections(&field.selection_set, None))
        };
        items.saturating_mul(below).saturating_add(own)
    }

    /// What a field of `Query` costs beside the fields of its answer.
    fn read_alone(&self, field: &'a Node<Field>) -> u64 {
        if !field.definition.arguments.iter().any(|argument| argument.name == "first") {
            return 0;
        }
        let looks = match self.argument(field, "filter") {
            None | Some(Argument::Literal(Value::Null) | Argument::Variable(Constant::Null)) => 0,
            Some(filter) if filter.has("search") => SEARCH,
            Some(_) => FILTER,
        };
        let rows = self.size(field).saturating_mul(ROW);
        rows.saturating_add(STATEMENT).saturating_add(looks)
    }

    /// The size of the page that a field asks for.
    fn size(&self, field: &Field) -> u64 {
        let asked = ["first", "last"].into_iter().find_map(|name| self.number(field, name));
        // A page that is too large is refused by itself.
        asked.unwrap_or(DEFAULT_SIZE).min(MAX_SIZE)
    }

    fn number(&self, field: &Field, name: &str) -> Option<u64> {
        match self.argument(field, name)? {
            Argument::Literal(Value::Int(number)) => number.as_str().parse().ok(),
            Argument::Variable(Constant::Number(number)) => number.as_u64(),
            _ => None,
        }
    }

    fn length(&self, field: &Field, name: &str) -> Option<u64> {
        match self.argument(field, name)? {
            Argument::Literal(Value::List(items)) => Some(items.len() as u64),
            Argument::Variable(Constant::List(items)) => Some(items.len() as u64),
            _ => Some(1),
        }
    }

    /// The argument's value, or its default.
    fn argument<'f>(&'f self, field: &'f Field, name: &str) -> Option<Argument<'f>> {
        Some(match &**field.argument_by_name(name).ok()? {
            Value::Variable(variable) => Argument::Variable(self.variables.get(variable.as_str())?),
            literal => Argument::Literal(literal),
        })
    }
}

enum Argument<'a> {
    Literal(&'a Value),
    Variable(&'a Constant),
}

impl Argument<'_> {
    /// Whether it is an object with a member of this name, other than null.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Literal(Value::Object(members)) => {
                members.iter().any(|(member, value)| member == name && !value.is_null())
            }
            Self::Variable(Constant::Object(members)) => {
                members.iter().any(|(member, value)| member == name && *value != Constant::Null)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Request;

    use super::super::{Documents, Limits};

    /// What `bench worst` found to take most, each as often as it takes a tenth of a second or so.
    #[test]
    fn what_takes_long_is_priced_by_that() {
        let documents = Documents::new(&crate::graphql::sdl(), Limits::default(), true).unwrap();
        for (times, field) in [
            (9, "users(first: 1, filter: {search: \"a\"}) { totalCount }"),
            (9, "users(first: 1, filter: {search: \"a b c d e f g h\"}) { nodes { id } }"),
            (18, "users(first: 1, filter: {status: [SUSPENDED]}) { totalCount }"),
            (20, "users(first: 200) { nodes { __typename } }"),
            (20, "mappings(first: 200) { nodes { __typename } }"),
            (20, "teams(first: 200) { nodes { __typename } }"),
            (250, "users(first: 1) { nodes { __typename } }"),
            (250, "importJobs(first: 1) { nodes { __typename } }"),
        ] {
            let many = |times: usize| {
                let fields: Vec<String> = (0..times).map(|i| format!("a{i}: {field}")).collect();
                documents.prepare(Request::new(format!("{{ {} }}", fields.join(" ")))).err()
            };
            assert!(many(times).is_none(), "{times} {field}");
            let errors = many(times * 5 / 4).unwrap_or_else(|| panic!("{field} is too cheap"));
            assert!(errors[0].message.starts_with("The operation may come to"), "{}", errors[0].message);
        }
    }
}
