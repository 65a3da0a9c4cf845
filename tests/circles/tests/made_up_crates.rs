//! Crates made up for the purpose, with and without circles.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use latco_circles::{circles, imports};

/// Writes a crate of these files and returns its circles, each as the names of its files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let imports = imports(&folder.path().join("lib.rs")).unwrap();
    let found = circles(&imports);
    let short = |file: &PathBuf| {
        let inside: &Path = file.strip_prefix(folder.path()).unwrap();
        inside.to_str().unwrap().to_owned()
    };
    found
        .iter()
        .map(|c| c.iter().map(short).collect())
        .collect()
}

#[test]
fn two_files_that_use_each_other_are_found() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use super::a::A; pub struct B; fn f(_: A) {}"),
    ]);
    assert_eq!(found, [["a.rs", "b.rs"]]);
}

#[test]
fn three_files_round_about_are_found_in_the_order_of_import() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::c::C; pub struct A(C);"),
        ("b.rs", "use crate::a::A; pub struct B(A);"),
        ("c.rs", "use crate::b::B; pub struct C(Box<B>);"),
        (
            "d.rs",
            "use crate::{a::A, b::B, c::C}; fn f(_: A, _: B, _: C) {}",
        ),
    ]);
    assert_eq!(found, [["a.rs", "c.rs", "b.rs"]]);
}

#[test]
fn a_child_that_takes_a_definition_of_its_parent_which_uses_it_is_found() {
    let found = circles_of(&[
        ("lib.rs", "pub mod p;"),
        (
            "p/mod.rs",
            "mod child; pub struct Shared; pub fn make() { child::run(); }",
        ),
        (
            "p/child.rs",
            "pub fn run() -> super::Shared { super::Shared }",
        ),
    ]);
    assert_eq!(found, [["p/child.rs", "p/mod.rs"]]);
}

#[test]
fn names_are_followed_through_re_exports_globs_and_other_names() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"),
        ("a.rs", "use crate::B as Other; pub struct A(Other);"),
        (
            "b.rs",
            "pub struct B; fn f() -> crate::A { unreachable!() }",
        ),
    ]);
    assert_eq!(found, [["a.rs", "b.rs"]]);
}

#[test]
fn a_re_export_that_its_own_file_uses_as_well_counts() {
    let found = circles_of(&[
        (
            "lib.rs",
            "mod a; pub use a::A; pub struct Root; pub fn f(_: A) {}",
        ),
        ("a.rs", "use crate::Root; pub struct A(Root);"),
    ]);
    assert_eq!(found, [["a.rs", "lib.rs"]]);
}

#[test]
fn paths_in_expressions_macros_and_functions_count() {
    let b = "pub const ONE: u8 = 1; fn f() { assert_eq!(vec![crate::a::two()].len(), 1); }";
    let in_expression = "pub fn two() -> u8 { crate::b::ONE + 1 }";
    let by_module = "use crate::b; pub fn two() -> u8 { b::ONE + 1 }";
    let in_function = "pub fn two() -> u8 { use super::b::ONE; ONE + 1 }";
    let of_type = "pub fn two() -> u8 { u8::from(<bool as crate::b::Number>::YES) }";
    let b_with_trait = format!("{b} pub trait Number {{ const YES: bool; }}");
    for a in [in_expression, by_module, in_function, of_type] {
        let found = circles_of(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", &b_with_trait),
        ]);
        assert_eq!(found, [["a.rs", "b.rs"]], "{a}");
    }
}

#[test]
fn what_is_for_tests_only_does_not_count() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod only_tests;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        (
            "b.rs",
            "pub struct B;
             #[cfg(test)] use crate::a::A;
             #[cfg(all(test, feature = \"x\"))] fn f(_: A) {}
             #[cfg(test)] mod tests { use crate::a::A; fn f(_: A) {} }",
        ),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn declarations_re_exports_and_shared_ground_do_not_count() {
    let found = circles_of(&[
        (
            "lib.rs",
            "pub mod p; mod ground; pub use ground::Ground; pub use p::{Plan, make};",
        ),
        ("ground.rs", "pub struct Ground;"),
        (
            "p/mod.rs",
            "mod contract; mod method; pub use contract::Plan; pub use method::Method;
             pub fn make() -> Method { Method }",
        ),
        ("p/contract.rs", "pub struct Plan(pub crate::Ground);"),
        (
            "p/method.rs",
            "use super::Plan; pub struct Method; fn f(_: Plan, method: u8) { let _ = method; }",
        ),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn modules_written_inside_a_file_belong_to_it() {
    let found = circles_of(&[
        ("lib.rs", "mod a;"),
        (
            "a.rs",
            "pub mod inner { use super::X; pub struct Y(X); pub mod deep; } pub struct X; fn f(_: inner::Y) {}",
        ),
        ("a/inner/deep.rs", "use super::Y; pub struct Z(Y);"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn this_file_says_what_is_wrong_with_a_crate() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lib.rs");
    fs::write(&root, "mod missing;").unwrap();
    let error = imports(&root).unwrap_err().to_string();
    assert!(error.contains("missing.rs"), "{error}");
    fs::write(&root, "mod {").unwrap();
    let error = imports(&root).unwrap_err().to_string();
    assert!(error.contains("lib.rs"), "{error}");
}
