//! What a document comes to with its fragments spelled out, found in time that is linear in its length: before anything
//! walks through it as it would be carried out.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    Name, Node,
    ast::{Argument, Definition, Directive, Document, FragmentDefinition, Selection, Value},
};

use super::{Limits, texts};
use crate::graphql::error::{Failure, Result};

/// How deep selections and values may be nested while a document is parsed. The library's parser takes 64.
pub const NESTING: usize = 60;

/// # Errors
/// A document that selects too much or too deep, whose fragments name each other in a circle, or that holds a text that
/// can't be taken.
pub fn check(document: &Document, limits: &Limits) -> Result<()> {
    let mut walk = Walk { fragments: HashMap::new(), most: limits.depth };
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            walk.fragments.insert(&fragment.name, (fragment, State::New));
        }
    }
    let mut total = Size::default();
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                for variable in &operation.variables {
                    directives(&variable.directives)?;
                    let default = variable.default_value.as_ref().map_or(Ok(0), |default| value(default))?;
                    total.values = total.values.saturating_add(default);
                }
                total = total.and(directives(&operation.directives)?).and(walk.size(&operation.selection_set, 0)?);
                total.within(limits)?;
            }
            // One that no operation spreads is validated too.
            Definition::FragmentDefinition(fragment) => walk.fragment(&fragment.name, 0)?.within(limits)?,
            _ => {}
        }
    }
    Ok(())
}

/// What selections come to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    fields: u64,
    depth: usize,
    aliases: u64,
    directives: u64,
    /// Values of arguments: an object and a list, and each within.
    values: u64,
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            values: self.values.saturating_add(other.values),
        }
    }

    fn within(self, limits: &Limits) -> Result<()> {
        for (what, found, most) in [
            ("fields", self.fields, limits.fields),
            ("aliases", self.aliases, limits.aliases),
            ("directives", self.directives, limits.directives),
            // Each is a token at least, where it stands once.
            ("values", self.values, limits.tokens as u64),
        ] {
            if found > most {
                let message = format!("The document comes to {found} {what}; {most} is the most. Send it in parts.");
                return Err(Failure::limit_exceeded(message));
            }
        }
        if self.depth > limits.depth {
            let message = format!("The document nests its fields {} deep; {} is the most.", self.depth, limits.depth);
            return Err(Failure::limit_exceeded(message));
        }
        Ok(())
    }
}

/// How far the measuring of a fragment is.
#[derive(Debug, Clone, Copy)]
enum State {
    New,
    /// Who meets it now is inside it.
    Open,
    Known(Size),
}

struct Walk<'a> {
    fragments: HashMap<&'a Name, (&'a Node<FragmentDefinition>, State)>,
    /// As long may a chain of fragments be.
    most: usize,
}

impl<'a> Walk<'a> {
    /// Measures selections, each fragment once. The recursion is bounded by the parser's nesting, and by the length of a
    /// chain of fragments.
    fn size(&mut self, selections: &'a [Selection], chain: usize) -> Result<Size> {
        let mut size = Size::default();
        for selection in selections {
            let (directives, inner) = match selection {
                Selection::Field(field) => {
                    let values = arguments(&field.arguments)?;
                    let below = self.size(&field.selection_set, chain)?;
                    let inner = Size {
                        fields: below.fields.saturating_add(1),
                        depth: below.depth + 1,
                        aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
                        values: below.values.saturating_add(values),
                        ..below
                    };
                    (&field.directives, inner)
                }
                Selection::InlineFragment(inline) => (&inline.directives, self.size(&inline.selection_set, chain)?),
                Selection::FragmentSpread(spread) => (&spread.directives, self.fragment(&spread.fragment_name, chain)?),
            };
            size = size.and(self::directives(directives)?).and(inner);
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &Name, chain: usize) -> Result<Size> {
        // An unknown fragment is for the validation to name.
        let Some((fragment, state)) = self.fragments.get_mut(name) else {
            return Ok(Size::default());
        };
        match *state {
            State::Known(size) => return Ok(size),
            State::Open => return Err(Failure::bad_request(format!("The fragment {name} contains itself."))),
            State::New => {}
        }
        if chain > self.most {
            let message = format!("Fragments name each other {chain} deep; {} is the most.", self.most);
            return Err(Failure::limit_exceeded(message));
        }
        *state = State::Open;
        let fragment = *fragment;
        let size = self.size(&fragment.selection_set, chain + 1)?.and(directives(&fragment.directives)?);
        self.fragments.insert(&fragment.name, (fragment, State::Known(size)));
        Ok(size)
    }
}

/// Directives and their values, whose texts are checked.
fn directives(directives: &[Node<Directive>]) -> Result<Size> {
    let mut size = Size { directives: directives.len() as u64, ..Size::default() };
    for directive in directives {
        size.values = size.values.saturating_add(arguments(&directive.arguments)?);
    }
    Ok(size)
}

/// How many values arguments have, whose texts are checked.
fn arguments(arguments: &[Node<Argument>]) -> Result<u64> {
    sum(arguments.iter().map(|argument| &argument.value))
}

fn sum<'a>(values: impl Iterator<Item = &'a Node<Value>>) -> Result<u64> {
    values.map(|found| value(found)).sum()
}

fn value(found: &Value) -> Result<u64> {
    let within = match found {
        Value::String(text) => texts::text(text, 0).map(|()| 0),
        Value::List(values) => sum(values.iter()),
        Value::Object(members) => {
            // A rule of the specification that the validation does not know.
            let mut names = HashSet::with_capacity(members.len());
            if let Some((name, _)) = members.iter().find(|(name, _)| !names.insert(name)) {
                return Err(Failure::bad_request(format!("There can be only one input field named {name}.")));
            }
            sum(members.iter().map(|(_, found)| found))
        }
        _ => Ok(0),
    };
    Ok(within? + 1)
}
