//! The price of an operation: what its answer may take, by the size of the pages that it asks for.
//!
//! A field costs 1, whatever its name or alias. What is below a list costs as many times as the list may have items: a
//! page's `first` or `last`, the number of `ids`, [`SEVERAL`] for a list without pages. What costs more than its fields
//! show has a price of its own, by what it was measured to take: 1 is about a microsecond of the processor's time, so that
//! an operation at the default limit takes a tenth of a second. `bench worst` looks for what is priced too low.

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
/// A list with pages: a statement, for all that the list hangs below.
const STATEMENT: u64 = 350;
/// Its `totalCount`: another, which passes all the list's rows.
const COUNT: u64 = 1_100;
/// A row of its `nodes` or `edges`. Counted for one of the objects that the list hangs below: those of the others are few, as a rule.
const ROW: u64 = 20;
/// The rows that meet a filter have to be found among all, by either statement.
const FILTER: u64 = 5_000;
/// Those that have words like these in them.
const SEARCH: u64 = 11_000;
/// `__schema`, whatever is selected of it: its lists may nest only so deep, so that it comes to all of the schema at most.
const SCHEMA: u64 = 25_000;
/// `__type`.
const TYPE: u64 = 2_500;

/// The price of an operation, whose document has been validated.
pub fn of(document: &ExecutableDocument, operation: &Operation, variables: &Variables) -> u64 {
    let mut walk = Walk { document, variables, fragments: HashMap::new() };
    let below = walk.selections(&operation.selection_set, None).whole();
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

/// What a selection costs.
#[derive(Debug, Clone, Copy, Default)]
struct Price {
    /// For each object that it is about.
    each: u64,
    /// For all of them together: they are loaded in one go.
    once: u64,
}

impl Price {
    fn and(self, other: Self) -> Self {
        Self { each: self.each.saturating_add(other.each), once: self.once.saturating_add(other.once) }
    }

    /// For so many objects at each place.
    fn times(self, objects: u64) -> Self {
        Self { each: self.each.saturating_mul(objects), ..self }
    }

    fn whole(self) -> u64 {
        self.each.saturating_add(self.once)
    }
}

/// The page that a selection is about: whose `nodes`, `edges` and `totalCount` may be among the selected fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Page {
    size: u64,
    /// What it takes to find the rows of its list, each time.
    search: u64,
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// What fragments come to, by the page that they are about.
    fragments: HashMap<(&'a Name, Option<Page>), Price>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, selected: &'a SelectionSet, page: Option<Page>) -> Price {
        let prices = selected.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.field(field, page),
            Selection::InlineFragment(inline) => self.selections(&inline.selection_set, page),
            Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, page),
        });
        prices.fold(Price::default(), Price::and)
    }

    fn fragment(&mut self, name: &'a Name, page: Option<Page>) -> Price {
        if let Some(price) = self.fragments.get(&(name, page)) {
            return *price;
        }
        let fragment = self.document.fragments.get(name);
        let price = fragment.map_or_else(Price::default, |fragment| self.selections(&fragment.selection_set, page));
        self.fragments.insert((name, page), price);
        price
    }

    fn field(&mut self, field: &'a Node<Field>, page: Option<Page>) -> Price {
        match field.name.as_str() {
            "__schema" => return Price { each: SCHEMA, once: 0 },
            "__type" => return Price { each: TYPE, once: 0 },
            _ => {}
        }
        let has_pages = field.definition.arguments.iter().any(|argument| argument.name == "first");
        let is_list = field.definition.ty.is_list();
        let own = match field.name.as_str() {
            "candidates" => Price { each: CANDIDATES, once: 0 },
            "totalCount" => Price { each: 1, once: page.map_or(0, |page| page.search).saturating_add(COUNT) },
            _ => Price { each: 1, once: 0 },
        };
        if has_pages {
            let page = Page { size: self.size(field), search: self.search(field) };
            let found = Price { each: 0, once: page.search.saturating_add(STATEMENT) };
            // The items are this field's, or those of the `nodes` and `edges` below it.
            let below = if is_list {
                self.selections(&field.selection_set, None).times(page.size)
            } else {
                self.selections(&field.selection_set, Some(page))
            };
            return own.and(found).and(below);
        }
        let below = self.selections(&field.selection_set, None);
        own.and(match (is_list, self.length(field, "ids"), page) {
            (false, _, _) => below,
            (true, Some(ids), _) => below.times(ids),
            (true, None, Some(Page { size, .. })) => {
                below.times(size).and(Price { each: 0, once: size.saturating_mul(ROW) })
            }
            (true, None, None) => below.times(SEVERAL),
        })
    }

    /// What it costs to find the rows of a list.
    fn search(&self, field: &Field) -> u64 {
        match self.argument(field, "filter") {
            None | Some(Argument::Literal(Value::Null) | Argument::Variable(Constant::Null)) => 0,
            Some(filter) if filter.has("search") => SEARCH,
            Some(_) => FILTER,
        }
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
        for (times, opened, field) in [
            (4, "", "users(first: 1, filter: {search: \"a\"}) { totalCount }"),
            (8, "", "users(first: 1, filter: {search: \"a b c d e f g h\"}) { nodes { id } }"),
            (18, "", "users(first: 1, filter: {status: [SUSPENDED]}) { nodes { id } }"),
            (8, "", "users(first: 1, filter: {status: [SUSPENDED]}) { totalCount }"),
            (20, "", "users(first: 200) { nodes { __typename } }"),
            (20, "", "mappings(first: 200) { nodes { __typename } }"),
            (20, "", "teams(first: 200) { nodes { __typename } }"),
            (250, "", "users(first: 1) { nodes { __typename } }"),
            (68, "", "users(first: 1, orderBy: {field: NAME}) { totalCount }"),
            (68, "", "mappings(first: 200) { totalCount }"),
            (90, "users(first: 1) {", "totalCount"),
            (7, "users(first: 1, filter: {search: \"a\"}) {", "totalCount"),
            (250, "", "importJobs(first: 1) { nodes { __typename } }"),
            (4, "", "integrations { crmUsers(first: 1, filter: {search: \"a\"}) { totalCount } }"),
        ] {
            let many = |times: usize| {
                let fields: Vec<String> = (0..times).map(|i| format!("a{i}: {field}")).collect();
                let closed = if opened.is_empty() { "" } else { "}" };
                documents.prepare(Request::new(format!("{{ {opened} {} {closed} }}", fields.join(" ")))).err()
            };
            assert!(many(times).is_none(), "{times} {field}");
            let errors = many(times * 5 / 4).unwrap_or_else(|| panic!("{field} is too cheap"));
            assert!(errors[0].message.starts_with("The operation's complexity is"), "{}", errors[0].message);
        }
    }
}
