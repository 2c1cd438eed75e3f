//! What is checked of a request before the library validates it, in time that is linear in its size.
//!
//! - Fragments can name each other so that a short document stands for millions of fields; the library's own limits
//!   would walk through them all.
//! - A NUL character is refused: PostgreSQL can't store it.
//! - A text that looks like the library's own mark for an upload would be taken for one.
//! - The defaults of variables are filled in: the library forgets them for `@include` and `@skip`.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Request, ServerError, Value as ConstValue,
    parser::types::{
        Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};
use async_graphql_value::Value;

use super::error::{Failure, Result};

/// As deep may fields be nested.
pub const MAX_DEPTH: usize = 32;
/// As many fields may a document select, its fragments spelled out.
const MAX_FIELDS: u64 = 5_000;

/// What the library puts in the place of an uploaded file, before its number.
const FILE_MARK: &str = "#__graphql_file__:";

/// Checks the request, and fills in the defaults of its variables.
///
/// # Errors
/// A document that can't be parsed, that is too large or too deep, or that holds what can't be taken.
pub fn check(request: &mut Request) -> Result<(), ServerError> {
    let uploads = request.uploads.len();
    for (name, value) in request.variables.iter() {
        text(name, uploads)?;
        constant(value, uploads)?;
    }
    let name = request.operation_name.clone();
    let document = request.parsed_query()?;
    let mut walk = Walk { document, uploads, fragments: HashMap::new() };
    for fragment in document.fragments.values() {
        walk.directives(&fragment.node.directives)?;
        walk.arguments(&fragment.node.selection_set)?;
    }
    for (_, operation) in document.operations.iter() {
        for variable in &operation.node.variable_definitions {
            walk.directives(&variable.node.directives)?;
            if let Some(default) = &variable.node.default_value {
                constant(&default.node, uploads)?;
            }
        }
        walk.directives(&operation.node.directives)?;
        walk.arguments(&operation.node.selection_set)?;
        let size = walk.size(&operation.node.selection_set)?;
        if size.fields > MAX_FIELDS {
            let message = format!("The document selects more than {MAX_FIELDS} fields; send it in parts.");
            return Err(Failure::limit_exceeded(message).into());
        }
        if size.depth > MAX_DEPTH {
            let message = format!("The document nests its fields {} deep; {MAX_DEPTH} is the most.", size.depth);
            return Err(Failure::limit_exceeded(message).into());
        }
    }
    let defaults: Vec<(Name, ConstValue)> = operation(document, name.as_deref())
        .into_iter()
        .flat_map(|operation| &operation.variable_definitions)
        .filter_map(|variable| Some((variable.node.name.node.clone(), variable.node.default_value.clone()?.node)))
        .collect();
    for (name, default) in defaults {
        request.variables.entry(name).or_insert(default);
    }
    Ok(())
}

/// The operation that a request asks for.
pub fn operation<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let mut found = document.operations.iter().filter(|(own, _)| match (own, name) {
        (Some(own), Some(name)) => own.as_str() == name,
        _ => true,
    });
    found.next().map(|(_, operation)| &operation.node)
}

/// Whether a request asks for a query.
pub fn only_reads(request: &mut Request) -> bool {
    let name = request.operation_name.clone();
    let document = request.parsed_query().ok();
    let operation = document.and_then(|document| operation(document, name.as_deref()));
    operation.is_some_and(|operation| operation.ty == OperationType::Query)
}

/// What a selection set comes to, its fragments spelled out.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    fields: u64,
    depth: usize,
}

/// A fragment's size, once it is known.
enum Fragment {
    /// It is being measured: who meets it now is inside it.
    Open,
    Known(Size),
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    uploads: usize,
    fragments: HashMap<&'a str, Fragment>,
}

impl<'a> Walk<'a> {
    /// Measures a selection set; each fragment once. Recursion is bounded by the parser, which takes nesting up to 64, and
    /// by the depth limit along fragments.
    fn size(&mut self, selection_set: &'a Positioned<SelectionSet>) -> Result<Size> {
        self.size_at(selection_set, 0)
    }

    fn size_at(&mut self, selection_set: &'a Positioned<SelectionSet>, chain: usize) -> Result<Size> {
        let mut size = Size::default();
        for selection in &selection_set.node.items {
            let inner = match &selection.node {
                Selection::Field(field) => {
                    let below = self.size_at(&field.node.selection_set, chain)?;
                    Size { fields: below.fields.saturating_add(1), depth: below.depth + 1 }
                }
                Selection::InlineFragment(inline) => self.size_at(&inline.node.selection_set, chain)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, chain)?,
            };
            size.fields = size.fields.saturating_add(inner.fields);
            size.depth = size.depth.max(inner.depth);
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name, chain: usize) -> Result<Size> {
        match self.fragments.get(name.as_str()) {
            Some(Fragment::Known(size)) => return Ok(*size),
            Some(Fragment::Open) => {
                return Err(Failure::bad_request(format!("The fragment {name} contains itself.")));
            }
            None => {}
        }
        // An unknown fragment is for the validation to name.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Size::default());
        };
        if chain > MAX_DEPTH {
            let message = format!("Fragments name each other {chain} deep; {MAX_DEPTH} is the most.");
            return Err(Failure::limit_exceeded(message));
        }
        self.fragments.insert(name, Fragment::Open);
        let size = self.size_at(&fragment.node.selection_set, chain + 1)?;
        self.fragments.insert(name, Fragment::Known(size));
        Ok(size)
    }

    /// Checks the texts of a selection set's arguments and directives.
    fn arguments(&self, selection_set: &Positioned<SelectionSet>) -> Result<()> {
        for selection in &selection_set.node.items {
            self.directives(selection.node.directives())?;
            match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => self.arguments(&inline.node.selection_set)?,
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    fn field(&self, field: &Field) -> Result<()> {
        for (_, argument) in &field.arguments {
            value(&argument.node, self.uploads)?;
        }
        self.arguments(&field.selection_set)
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<()> {
        let arguments = directives.iter().flat_map(|directive| &directive.node.arguments);
        arguments.into_iter().try_for_each(|(_, argument)| value(&argument.node, self.uploads))
    }
}

fn value(found: &Value, uploads: usize) -> Result<()> {
    match found {
        Value::String(found) => text(found, uploads),
        Value::List(found) => found.iter().try_for_each(|found| value(found, uploads)),
        Value::Object(found) => found.values().try_for_each(|found| value(found, uploads)),
        _ => Ok(()),
    }
}

fn constant(found: &ConstValue, uploads: usize) -> Result<()> {
    match found {
        ConstValue::String(found) => text(found, uploads),
        ConstValue::List(found) => found.iter().try_for_each(|found| constant(found, uploads)),
        ConstValue::Object(found) => found.values().try_for_each(|found| constant(found, uploads)),
        _ => Ok(()),
    }
}

fn text(found: &str, uploads: usize) -> Result<()> {
    if found.contains('\0') {
        return Err(Failure::bad_request("A text holds the character U+0000, which can't be stored; take it out."));
    }
    match found.strip_prefix(FILE_MARK) {
        Some(number) if number.parse::<usize>().is_ok_and(|number| number < uploads) => Ok(()),
        Some(_) => Err(Failure::bad_request("A text can't begin as the mark of an uploaded file does.")),
        None => Ok(()),
    }
}
