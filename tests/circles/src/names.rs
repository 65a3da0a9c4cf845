//! What a path means: followed through modules, `use` declarations and re-exports to the module of the definition.

use crate::modules::Module;

/// What a path ends at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// A module, by its index.
    Module(usize),
    /// An item of that name in the module of this index.
    Item(usize, String),
}

/// More steps than any chain of re-exports has; a chain that is longer goes round.
const DEEPEST: usize = 32;

/// What `path` means in this module; none where it leaves the crate or is a local name.
pub(crate) fn resolve(modules: &[Module], module: usize, path: &[String]) -> Option<Meaning> {
    resolve_to(modules, module, path, DEEPEST)
}

fn resolve_to(modules: &[Module], module: usize, path: &[String], depth: usize) -> Option<Meaning> {
    let mut at = module;
    for (i, segment) in path.iter().enumerate() {
        let last = i + 1 == path.len();
        match segment.as_str() {
            "crate" => at = 0,
            "self" if i == 0 => {}
            "super" => at = modules[at].parent?,
            name => match look_up(modules, at, name, last, depth)? {
                Meaning::Module(child) => at = child,
                // What follows is a variant, a constant or a function of the type.
                item => return Some(item),
            },
        }
    }
    Some(Meaning::Module(at))
}

/// A name in a module. A module and an item may share it: the last segment of a path means the item.
fn look_up(modules: &[Module], at: usize, name: &str, last: bool, depth: usize) -> Option<Meaning> {
    let module = &modules[at];
    let item = || {
        module
            .defined
            .contains(name)
            .then(|| Meaning::Item(at, name.to_owned()))
    };
    let child = || module.children.get(name).copied().map(Meaning::Module);
    let own = if last {
        item().or_else(child)
    } else {
        child().or_else(item)
    };
    if own.is_some() || depth == 0 {
        return own;
    }
    let named = module
        .uses
        .iter()
        .filter(|u| u.name.as_deref() == Some(name));
    // `use name::...` is no binding of `name`, and so not looked up by itself again.
    let mut named = named.filter(|u| u.path.first().is_none_or(|first| first != name));
    if let Some(meaning) = named.find_map(|u| resolve_to(modules, at, &u.path, depth - 1)) {
        return Some(meaning);
    }
    let globs = module.uses.iter().filter(|u| u.name.is_none());
    let mut globs = globs.filter(|u| u.path.first().is_none_or(|first| first != name));
    globs.find_map(|u| match resolve_to(modules, at, &u.path, depth - 1)? {
        Meaning::Module(of) => look_up(modules, of, name, last, depth - 1),
        Meaning::Item(..) => None,
    })
}
