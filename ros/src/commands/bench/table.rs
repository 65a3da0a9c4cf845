//! A CSV file that rows are added to as they are measured, so that an interrupted measurement goes
//! on where it stopped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};

/// A row of a table. Values hold no comma.
pub(super) trait Row: Sized {
    /// Names of the columns.
    const COLUMNS: &'static [&'static str];

    /// Values, one a column; empty where there is none.
    fn values(&self) -> Vec<String>;

    /// The row with these values; none if they are not as [`Row::values`] writes them.
    fn from_values(values: &[&str]) -> Option<Self>;
}

/// A file of rows; without a path they are only kept.
pub(super) struct Table<R> {
    file: Option<File>,
    pub(super) rows: Vec<R>,
}

impl<R: Row> Table<R> {
    /// Opens or makes the file; its first line is `# ` and `about`, which must be what it was made
    /// with. Half a last line (the program was killed) is dropped.
    pub(super) fn open(path: Option<&Path>, about: &str) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                rows: Vec::new(),
            });
        };
        let name = path.display();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let head = format!("# {about}\n{}\n", R::COLUMNS.join(","));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
        };
        let Some(lines) = text.strip_prefix(&head) else {
            if !text.is_empty() {
                bail!(
                    "{name} was made with other settings or by another version: expected it to \
                     begin with {head:?}; choose another --out or remove the file"
                );
            }
            std::fs::write(path, &head).with_context(|| format!("{name} cannot be written"))?;
            return Self::append(path, Vec::new());
        };
        let whole = lines.rfind('\n').map_or("", |end| &lines[..=end]);
        let rows = whole
            .lines()
            .map(|line| {
                let values: Vec<&str> = line.split(',').collect();
                R::from_values(&values).with_context(|| format!("{name}: {line:?} is no row of it"))
            })
            .collect::<anyhow::Result<Vec<R>>>()?;
        if whole.len() < lines.len() {
            std::fs::write(path, format!("{head}{whole}"))
                .with_context(|| format!("{name} cannot be written"))?;
        }
        Self::append(path, rows)
    }

    fn append(path: &Path, rows: Vec<R>) -> anyhow::Result<Self> {
        let file = OpenOptions::new().append(true).open(path);
        let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
        Ok(Self {
            file: Some(file),
            rows,
        })
    }

    /// Adds a row, to the file at once.
    pub(super) fn push(&mut self, row: R) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            let line = row.values().join(",") + "\n";
            file.write_all(line.as_bytes())
                .context("a measured row cannot be written")?;
        }
        self.rows.push(row);
        Ok(())
    }
}

/// A number, empty where there is none.
pub(super) fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// The other way round; none if it is no number.
pub(super) fn parse_optional(text: &str) -> Option<Option<f64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Pair(u32, Option<f64>);

    impl Row for Pair {
        const COLUMNS: &'static [&'static str] = &["number", "time_ms"];
        fn values(&self) -> Vec<String> {
            vec![self.0.to_string(), optional(self.1)]
        }
        fn from_values(values: &[&str]) -> Option<Self> {
            match values {
                [number, time] => Some(Self(number.parse().ok()?, parse_optional(time)?)),
                _ => None,
            }
        }
    }

    #[test]
    fn rows_come_back_and_half_a_row_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/table.csv");
        let mut table = Table::open(Some(&path), "about").unwrap();
        table.push(Pair(1, Some(0.25))).unwrap();
        table.push(Pair(2, None)).unwrap();
        drop(table);
        let mut text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# about\nnumber,time_ms\n1,0.25\n2,\n");
        text.push_str("3,0.");
        std::fs::write(&path, text).unwrap();
        let mut table = Table::<Pair>::open(Some(&path), "about").unwrap();
        assert_eq!(table.rows, [Pair(1, Some(0.25)), Pair(2, None)]);
        table.push(Pair(3, None)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("2,\n3,\n"), "{text}");
        let error = Table::<Pair>::open(Some(&path), "other").err().unwrap();
        assert!(error.to_string().contains("--out"), "{error}");
        std::fs::write(&path, "# about\nnumber,time_ms\nx,1\n").unwrap();
        let error = Table::<Pair>::open(Some(&path), "about").err().unwrap();
        assert!(error.to_string().contains("x,1"), "{error}");
    }
}
