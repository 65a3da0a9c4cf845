//! Opening a sqlite3 file for reading, also one whose writer was killed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::error::BagError;

const MARK: &[u8; 16] = b"SQLite format 3\0";

/// Whether the file begins as a SQLite database does.
pub(crate) fn has_mark(path: &Path) -> bool {
    let mut mark = [0; 16];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut mark))
        .is_ok_and(|()| mark == *MARK)
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    /// Whether data that the writer had not yet put into the database itself was found beside it and taken
    /// in.
    pub(crate) recovered: bool,
    /// Folder that holds a copy, where the file lies in a place that cannot be written.
    _copy: Option<TempDir>,
}

/// Path of the file beside the database that ends in `suffix`: `-wal` or `-journal`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the database. A write-ahead log or rollback journal that a killed writer left is taken in: in place, as every
/// program that opens the database does, or in a copy where the place cannot be written.
pub(crate) fn open(path: &Path) -> Result<Database, BagError> {
    let size = std::fs::metadata(path)
        .map_err(|error| BagError::io(path, "opening", error))?
        .len();
    let left: Vec<PathBuf> = ["-wal", "-journal"]
        .into_iter()
        .map(|suffix| beside(path, suffix))
        .filter(|file| std::fs::metadata(file).is_ok_and(|data| data.len() > 0))
        .collect();
    if !has_mark(path) && (size > 0 || left.is_empty()) {
        return Err(BagError::NotABag {
            path: path.to_path_buf(),
            found: format!("a file of {size} bytes without the SQLite mark at its start"),
        });
    }
    if left.is_empty() {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .or_else(|_| connect_immutable(path))
            .map_err(|error| unreadable(path, &error))?;
        return Ok(Database {
            connection,
            recovered: false,
            _copy: None,
        });
    }
    if let Ok(connection) = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        return Ok(Database {
            connection,
            recovered: true,
            _copy: None,
        });
    }
    let copying = |error| BagError::io(path, "copying, to take in what was left beside it", error);
    let folder = tempfile::tempdir().map_err(copying)?;
    let copy = folder.path().join("copy.db3");
    std::fs::copy(path, &copy).map_err(copying)?;
    for (file, suffix) in left.iter().filter_map(|file| {
        let name = file.to_string_lossy();
        let suffix = name.rsplit_once('-')?.1;
        Some((file, format!("-{suffix}")))
    }) {
        std::fs::copy(file, beside(&copy, &suffix)).map_err(copying)?;
    }
    let connection = connect(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| unreadable(path, &error))?;
    Ok(Database {
        connection,
        recovered: true,
        _copy: Some(folder),
    })
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    prepare(Connection::open_with_flags(
        path,
        flags | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?)
}

/// Connects without writing, for databases with a write-ahead log in places where SQLite could not make its
/// files.
fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut address = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                address.push(char::from(*byte));
            }
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    prepare(Connection::open_with_flags(address, flags)?)
}

/// Prepares a connection to a database that may come from anywhere: nothing in it is executed, and it is read
/// once, so that errors show here.
fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(connection)
}

pub(crate) fn unreadable(path: &Path, error: &rusqlite::Error) -> BagError {
    BagError::NotABag {
        path: path.to_path_buf(),
        found: format!("a SQLite database that cannot be read: {error}"),
    }
}
