//! Circles in a graph of imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::imports::Imports;

/// For each file that stands in a circle the shortest one through it, each circle once: its files in the order of import.
/// The last file imports the first.
pub fn circles(imports: &Imports) -> Vec<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    for file in imports.keys() {
        if let Some(mut circle) = shortest_circle(imports, file) {
            let least = circle.iter().enumerate().min_by_key(|(_, file)| *file);
            let first = least.map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            found.insert((circle.len(), circle));
        }
    }
    found.into_iter().map(|(_, circle)| circle).collect()
}

/// Breadth first from a file until it is met again.
fn shortest_circle(imports: &Imports, start: &Path) -> Option<Vec<PathBuf>> {
    let mut reached_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in imports.get(file).into_iter().flat_map(|to| to.keys()) {
            if next == start {
                let mut circle = vec![file.to_owned()];
                while let Some(before) = reached_from.get(circle[circle.len() - 1].as_path()) {
                    circle.push(before.to_path_buf());
                }
                circle.reverse();
                return Some(circle);
            }
            if !reached_from.contains_key(next.as_path()) {
                reached_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}
