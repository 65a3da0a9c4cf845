//! Values in tables within tables, by paths such as `planner.latco.damping`.

use toml::{Table, Value};

/// The value at a path, if there is one.
#[must_use]
pub fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((section, rest)) => find(table.get(section)?.as_table()?, rest),
        None => table.get(path),
    }
}

/// Takes the value at a path out of its table, if there is one.
pub fn take(table: &mut Table, path: &str) -> Option<Value> {
    match path.split_once('.') {
        Some((section, rest)) => take(table.get_mut(section)?.as_table_mut()?, rest),
        None => table.remove(path),
    }
}

/// Puts a value at a path, and makes the tables on the way there that are missing.
pub fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        Some((section, rest)) => {
            let section = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                put(section, rest, value);
            }
        }
        None => {
            table.insert(path.to_owned(), value);
        }
    }
}
