//! The modules of one crate, read from its source files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use syn::visit::Visit;
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

/// One module: a file, or a `mod name { ... }` inside one.
#[derive(Default)]
pub(crate) struct Module {
    /// The file that it is written in.
    pub(crate) file: PathBuf,
    /// The index of the module around it; the crate's root has none.
    pub(crate) parent: Option<usize>,
    /// Indices of the modules that it declares, by name.
    pub(crate) children: BTreeMap<String, usize>,
    /// Names that are defined here.
    pub(crate) defined: BTreeSet<String>,
    /// What its `use` declarations bind, those inside functions included.
    pub(crate) uses: Vec<Use>,
    /// Its items, without modules, `use` declarations and tests.
    pub(crate) items: Vec<Item>,
}

/// One name that a `use` declaration binds.
pub(crate) struct Use {
    /// The name; none for a glob.
    pub(crate) name: Option<String>,
    /// The path that it stands for.
    pub(crate) path: Vec<String>,
    /// Whether it is visible outside of its module.
    pub(crate) exported: bool,
}

/// Reads the modules of the crate whose root is this file; the root module is the first.
///
/// # Errors
/// The file that cannot be read, is no Rust, or is missing.
pub(crate) fn read(root: &Path) -> Result<Vec<Module>> {
    let mut modules = vec![Module {
        file: root.to_owned(),
        ..Module::default()
    }];
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    read_file(&mut modules, 0, &folder)?;
    Ok(modules)
}

/// Reads the file of a module; the files of its children lie in `folder`.
fn read_file(modules: &mut Vec<Module>, module: usize, folder: &Path) -> Result<()> {
    let file = modules[module].file.clone();
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
    add_items(modules, module, folder, parsed.items)
}

fn add_items(
    modules: &mut Vec<Module>,
    module: usize,
    folder: &Path,
    items: Vec<Item>,
) -> Result<()> {
    for item in items {
        if attributes(&item).iter().any(is_test_only) {
            continue;
        }
        match item {
            Item::Mod(item) => {
                let name = name_of(&item.ident);
                let child = modules.len();
                modules[module].children.insert(name.clone(), child);
                let inline = item.content.is_some();
                let file = if inline {
                    modules[module].file.clone()
                } else {
                    let told = item.attrs.iter().find_map(path_attribute);
                    let beside = modules[module].file.parent().unwrap_or(Path::new(""));
                    file_of(folder, beside, &name, told.as_deref())?
                };
                let is_mod_file = file.file_name().is_some_and(|f| f == "mod.rs");
                let inside = match (inline, is_mod_file, file.parent()) {
                    (false, true, Some(parent)) => parent.to_owned(),
                    _ => folder.join(&name),
                };
                modules.push(Module {
                    file,
                    parent: Some(module),
                    ..Module::default()
                });
                match item.content {
                    Some((_, items)) => add_items(modules, child, &inside, items)?,
                    None => read_file(modules, child, &inside)?,
                }
            }
            Item::Use(item) => add_use(&mut modules[module].uses, &item),
            other => {
                modules[module].defined.extend(defined_name(&other));
                UsesInside(&mut modules[module].uses).visit_item(&other);
                modules[module].items.push(other);
            }
        }
    }
    Ok(())
}

/// The file of `mod name;`.
fn file_of(folder: &Path, beside: &Path, name: &str, told: Option<&str>) -> Result<PathBuf> {
    let candidates = match told {
        Some(path) => vec![beside.join(path)],
        None => vec![
            folder.join(format!("{name}.rs")),
            folder.join(name).join("mod.rs"),
        ],
    };
    match candidates.iter().find(|file| file.exists()) {
        Some(file) => Ok(file.clone()),
        None => bail!("expected the module {name} in {candidates:?}, found no such file"),
    }
}

/// `use` declarations inside functions.
struct UsesInside<'a>(&'a mut Vec<Use>);

impl Visit<'_> for UsesInside<'_> {
    fn visit_item_use(&mut self, item: &ItemUse) {
        add_use(self.0, item);
    }
}

fn add_use(uses: &mut Vec<Use>, item: &ItemUse) {
    let exported = !matches!(item.vis, Visibility::Inherited);
    let mut path = Vec::new();
    if item.leading_colon.is_none() {
        add_tree(uses, &item.tree, &mut path, exported);
    }
}

fn add_tree(uses: &mut Vec<Use>, tree: &UseTree, path: &mut Vec<String>, exported: bool) {
    let depth = path.len();
    let bound = match tree {
        UseTree::Path(tree) => {
            path.push(name_of(&tree.ident));
            add_tree(uses, &tree.tree, path, exported);
            None
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                add_tree(uses, tree, path, exported);
            }
            None
        }
        UseTree::Glob(_) => Some(None),
        UseTree::Name(tree) => {
            let name = name_of(&tree.ident);
            if name != "self" {
                path.push(name);
            }
            Some(path.last().cloned())
        }
        UseTree::Rename(tree) => {
            let name = name_of(&tree.ident);
            if name != "self" {
                path.push(name);
            }
            Some(Some(name_of(&tree.rename)))
        }
    };
    if let Some(name) = bound {
        uses.push(Use {
            name,
            path: path.clone(),
            exported,
        });
    }
    path.truncate(depth);
}

/// A name without the `r#` of a raw one.
pub(crate) fn name_of(ident: &proc_macro2::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name_of(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether this is `#[cfg(test)]`, `#[cfg(all(test, ...))]` or `#[test]`.
pub(crate) fn is_test_only(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("test") {
        return true;
    }
    if !attribute.path().is_ident("cfg") {
        return false;
    }
    let mut test_only = false;
    let _ = attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("test") {
            test_only = true;
        } else if meta.path.is_ident("all") {
            return meta.parse_nested_meta(|inner| {
                test_only |= inner.path.is_ident("test");
                skip_value(&inner)
            });
        }
        skip_value(&meta)
    });
    test_only
}

/// Passes over what follows a name in `cfg`: `= "value"` or `(...)`.
fn skip_value(meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        let _: syn::Lit = meta.value()?.parse()?;
    } else if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|inner| skip_value(&inner))?;
    }
    Ok(())
}

/// The file that `#[path = "..."]` names.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(literal) = &pair.value else {
        return None;
    };
    match &literal.lit {
        syn::Lit::Str(text) if pair.path.is_ident("path") => Some(text.value()),
        _ => None,
    }
}
