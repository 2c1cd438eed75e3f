//! What a document comes to with its fragments spelled out, found in time that is linear in its length: before anything
//! walks through it as it would be carried out.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    Name, Node,
    ast::{Definition, Directive, Document, FragmentDefinition, Selection, Value},
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
                    variable.default_value.iter().try_for_each(|default| value(default))?;
                }
                let own = Size { directives: directives(&operation.directives)?, ..Size::default() };
                total = total.and(own).and(walk.size(&operation.selection_set, 0)?);
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
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
        }
    }

    fn within(self, limits: &Limits) -> Result<()> {
        for (what, found, most) in [
            ("fields", self.fields, limits.fields),
            ("aliases", self.aliases, limits.aliases),
            ("directives", self.directives, limits.directives),
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
                    field.arguments.iter().try_for_each(|argument| value(&argument.value))?;
                    let below = self.size(&field.selection_set, chain)?;
                    let inner = Size {
                        fields: below.fields.saturating_add(1),
                        depth: below.depth + 1,
                        aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
                        ..below
                    };
                    (&field.directives, inner)
                }
                Selection::InlineFragment(inline) => (&inline.directives, self.size(&inline.selection_set, chain)?),
                Selection::FragmentSpread(spread) => (&spread.directives, self.fragment(&spread.fragment_name, chain)?),
            };
            let own = Size { directives: self::directives(directives)?, ..Size::default() };
            size = size.and(own).and(inner);
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
        let own = Size { directives: directives(&fragment.directives)?, ..Size::default() };
        let size = self.size(&fragment.selection_set, chain + 1)?.and(own);
        self.fragments.insert(&fragment.name, (fragment, State::Known(size)));
        Ok(size)
    }
}

/// Checks the texts of directives, and counts them.
fn directives(directives: &[Node<Directive>]) -> Result<u64> {
    let arguments = directives.iter().flat_map(|directive| &directive.arguments);
    arguments.into_iter().try_for_each(|argument| value(&argument.value))?;
    Ok(directives.len() as u64)
}

fn value(found: &Value) -> Result<()> {
    match found {
        Value::String(text) => texts::text(text, 0),
        Value::List(values) => values.iter().try_for_each(|found| value(found)),
        Value::Object(members) => {
            // The one rule of the specification that the validation does not know.
            let mut names = HashSet::with_capacity(members.len());
            members.iter().try_for_each(|(name, found)| {
                if !names.insert(name) {
                    let message = format!("There can be only one input field named {name}.");
                    return Err(Failure::bad_request(message));
                }
                value(found)
            })
        }
        _ => Ok(()),
    }
}
