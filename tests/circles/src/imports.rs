//! Which file of a crate imports which, and what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::modules::{Module, is_test_only, name_of, read};
use crate::names::{Meaning, resolve};

/// For each file the files that it imports from, with the names of what it imports.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The imports between the files of the crate whose root is this file.
///
/// # Errors
/// The file that cannot be read, is no Rust, or is missing.
pub fn imports(root: &Path) -> Result<Imports> {
    let modules = read(root)?;
    let mut found = Imports::new();
    for (index, module) in modules.iter().enumerate() {
        found.entry(module.file.clone()).or_default();
        let mut paths = Paths {
            modules: &modules,
            module: index,
            found: &mut found,
        };
        for import in module.uses.iter().filter(|import| !import.exported) {
            paths.add(&import.path);
        }
        for item in &module.items {
            paths.visit_item(item);
        }
    }
    Ok(found)
}

/// Notes what the paths of one module mean.
struct Paths<'a> {
    modules: &'a [Module],
    module: usize,
    found: &'a mut Imports,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        let Some(Meaning::Item(at, name)) = resolve(self.modules, self.module, path) else {
            return;
        };
        let (from, to) = (&self.modules[self.module].file, &self.modules[at].file);
        if from != to {
            let imported = self.found.entry(from.clone()).or_default();
            imported.entry(to.clone()).or_default().insert(name);
        }
    }

    /// Paths among the tokens of a macro: names joined by `::`, and single names of types.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_of_path(&mut path);
                    }
                    path.push(name_of(ident));
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => {}
            }
            self.end_of_path(&mut path);
            colons = 0;
        }
        self.end_of_path(&mut path);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>) {
        let is_type = |name: &String| name.starts_with(|first: char| first.is_uppercase());
        if path.len() > 1 || path.first().is_some_and(is_type) {
            self.add(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|s| name_of(&s.ident)).collect();
            self.add(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !function.attrs.iter().any(is_test_only) {
            visit::visit_impl_item_fn(self, function);
        }
    }
}
