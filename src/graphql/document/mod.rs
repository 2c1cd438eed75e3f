//! Documents, before they are carried out: read, measured, validated, and kept for the next request that brings the same.
//!
//! The checks go from cheap to dear, and each is linear in what those before it let through:
//! 1. the text's length, then its tokens and its nesting, while it is parsed;
//! 2. what it comes to with its fragments spelled out ([`measure`]): a fragment chain of one kilobyte can stand for millions
//!    of fields;
//! 3. the validation rules of the specification, by `apollo-compiler`; the GraphQL library's own leave out some; and what
//!    it leaves out itself ([`inputs`]);
//! 4. for each request: its variables, and the price of what it asks for ([`price`]).

mod inputs;
mod measure;
mod price;
mod texts;
mod told;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use apollo_compiler::{
    ExecutableDocument as Checked, Node, Schema as Types,
    executable::{Operation, OperationType},
    introspection,
    parser::Parser,
    request::coerce_variable_values,
    response::{GraphQLError, JsonMap},
    validation::{DiagnosticList, Valid},
};
use async_graphql::{
    Name, Request, ServerError,
    parser::{parse_query, types::ExecutableDocument},
};
use lru::LruCache;

use super::{
    error::{Failure, Result},
    order::Shape,
};

use told::{diagnosed, server_error};

pub use measure::NESTING;
pub use texts::FILE_MARK;

/// Documents that are kept, at most.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// Bytes of a document that is kept, at most.
const KEPT_BYTES: usize = 16 * 1024;

/// How much a document, and an operation, may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Tokens of the document.
    pub tokens: usize,
    /// Fields that a document selects, its fragments spelled out.
    pub fields: u64,
    /// How deep fields are nested.
    pub depth: usize,
    /// Aliases, fragments spelled out.
    pub aliases: u64,
    /// Directives, fragments spelled out.
    pub directives: u64,
    /// The price of an operation.
    pub price: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            tokens: 10_000,
            fields: 3_000,
            depth: 32,
            aliases: 500,
            directives: 200,
            price: 100_000,
        }
    }
}

/// A document that may be carried out.
pub struct Document {
    /// As the library that carries it out wants it.
    executable: ExecutableDocument,
    /// As it was validated: with the types of its fields.
    checked: Valid<Checked>,
}

/// An operation of a document, with its variables: ready to be carried out.
pub struct Prepared {
    pub(super) request: Request,
    pub(super) shape: Shape,
    pub kind: OperationType,
    pub name: Option<String>,
    /// What it asks for ([`price`]).
    pub price: u64,
}

/// Reads documents.
pub struct Documents {
    types: Valid<Types>,
    limits: Limits,
    introspection: bool,
    known: Mutex<LruCache<String, Arc<Document>>>,
}

impl Documents {
    /// # Errors
    /// A schema that does not hold together.
    pub fn new(sdl: &str, limits: Limits, introspection: bool) -> Result<Self, String> {
        let types = Types::parse_and_validate(sdl, "schema.graphql").map_err(|invalid| invalid.errors.to_string())?;
        Ok(Self { types, limits, introspection, known: Mutex::new(LruCache::new(KEPT)) })
    }

    /// Reads a document, or finds it among those that were read before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, Vec<ServerError>> {
        let keeps = text.len() <= KEPT_BYTES;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if keeps && let Some(document) = known().get(text) {
            return Ok(Arc::clone(document));
        }
        let document = Arc::new(self.check(text)?);
        if keeps {
            known().put(text.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }

    fn check(&self, text: &str) -> Result<Document, Vec<ServerError>> {
        let limits = &self.limits;
        let refused = |failure: Failure| vec![ServerError::from(failure)];
        if text.len() > limits.bytes {
            return Err(refused(too_much("is", text.len(), "bytes long", limits.bytes)));
        }
        let mut parser = Parser::new().token_limit(limits.tokens).recursion_limit(NESTING);
        let syntax = match parser.parse_ast(text, "document") {
            Ok(syntax) => syntax,
            Err(_) if parser.tokens_reached() > limits.tokens => {
                return Err(refused(too_much("has more than", limits.tokens, "tokens", limits.tokens)));
            }
            Err(_) if parser.recursion_reached() > NESTING => {
                return Err(refused(too_much("is nested", parser.recursion_reached(), "deep", NESTING)));
            }
            Err(invalid) => return Err(self.diagnosed(&invalid.errors)),
        };
        measure::check(&syntax, limits).map_err(refused)?;
        let checked = syntax.to_executable_validate(&self.types).map_err(|invalid| self.diagnosed(&invalid.errors))?;
        inputs::check(&checked, &self.types).map_err(|error| vec![error])?;
        let executable = parse_query(text).map_err(|error| vec![ServerError::from(error)])?;
        Ok(Document { executable, checked })
    }

    fn diagnosed(&self, errors: &DiagnosticList) -> Vec<ServerError> {
        diagnosed(errors, &self.types, self.introspection)
    }

    /// Prepares the operation that a request asks for.
    ///
    /// # Errors
    /// What is wrong with its document, its name or its variables.
    pub fn prepare(&self, mut request: Request) -> Result<Prepared, Vec<ServerError>> {
        let document = self.read(&request.query)?;
        let wrong = |error: &GraphQLError| vec![server_error(error, None)];
        let sources = &document.checked.sources;
        let operation = document.checked.operations.get(request.operation_name.as_deref());
        let operation = operation.map_err(|error| wrong(&error.to_graphql_error(sources)))?;
        introspection::check_max_depth(&document.checked, operation)
            .map_err(|error| wrong(&error.to_graphql_error(sources)))?;
        if !self.introspection && price::asks_for_schema(&document.checked, operation) {
            return Err(vec![Failure::bad_request("This server does not tell its schema.").into()]);
        }
        self.variables(&mut request, &document, operation)?;
        let price = price::of(&document.checked, operation, &request.variables);
        if price > self.limits.price {
            return Err(vec![
                Failure::limit_exceeded(format!(
                    "The operation's complexity is {price}; {} is the most. Ask for smaller pages, or in parts.",
                    self.limits.price
                ))
                .into(),
            ]);
        }
        let found = document.executable.operations.iter().find(|(name, _)| {
            name.is_none_or(|name| operation.name.as_ref().is_some_and(|wanted| wanted.as_str() == name.as_str()))
        });
        let shape = found.map(|(_, found)| Shape::of(&document.executable, &found.node)).unwrap_or_default();
        request.set_parsed_query(document.executable.clone());
        Ok(Prepared {
            request,
            shape,
            kind: operation.operation_type,
            name: operation.name.as_ref().map(|name| name.chars().take(100).collect()),
            price,
        })
    }

    /// Checks the variables, and fills in the defaults of those that are missing: the library forgets them for `@include`
    /// and `@skip`.
    fn variables(
        &self,
        request: &mut Request,
        document: &Document,
        operation: &Node<Operation>,
    ) -> Result<(), Vec<ServerError>> {
        let refused = |failure: Failure| vec![ServerError::from(failure)];
        texts::check(&request.variables, request.uploads.len()).map_err(refused)?;
        if operation.variables.is_empty() {
            return Ok(());
        }
        let values = serde_json::to_value(&request.variables).map(serde_json_bytes::Value::from);
        let values: JsonMap = match values {
            Ok(serde_json_bytes::Value::Object(values)) => values,
            _ => return Err(refused(Failure::bad_request("The variables must be an object."))),
        };
        let coerced = coerce_variable_values(&self.types, operation, &values)
            .map_err(|error| vec![server_error(&error.to_graphql_error(&document.checked.sources), None)])?;
        inputs::check_variables(operation, &coerced, &self.types).map_err(refused)?;
        for (name, value) in coerced.iter() {
            if !values.contains_key(name) {
                let value =
                    serde_json::to_value(value).ok().and_then(|value| async_graphql::Value::from_json(value).ok());
                request.variables.entry(Name::new(name.as_str())).or_insert(value.unwrap_or_default());
            }
        }
        Ok(())
    }
}

fn too_much(verb: &str, found: usize, what: &str, most: usize) -> Failure {
    Failure::limit_exceeded(format!("The document {verb} {found} {what}; {most} is the most."))
}
