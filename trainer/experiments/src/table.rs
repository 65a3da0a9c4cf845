//! Tables of results: one list of columns makes the CSV file and the Markdown table.

use std::path::Path;

use crate::{ExperimentError, write_file};

/// One value as it stands in a CSV file, exact, and in a Markdown table, rounded.
pub struct Value {
    csv: String,
    markdown: String,
}

/// A text; quoted in a CSV file where it has a comma.
pub fn text(text: impl Into<String>) -> Value {
    let markdown = text.into();
    let csv = match markdown.contains(',') {
        true => format!("\"{markdown}\""),
        false => markdown.clone(),
    };
    Value { csv, markdown }
}

/// A number with so many digits behind the point.
pub fn fixed(value: f64, digits: usize) -> Value {
    Value {
        csv: value.to_string(),
        markdown: if value.is_finite() {
            format!("{value:.digits$}")
        } else {
            "-".to_owned()
        },
    }
}

/// A number of any magnitude.
pub fn exponent(value: f64) -> Value {
    Value {
        csv: value.to_string(),
        markdown: format!("{value:.1e}"),
    }
}

/// A whole number.
pub fn count(value: usize) -> Value {
    fixed(value as f64, 0)
}

/// A share with both ends of its interval: three columns of a CSV file.
pub fn interval([value, low, high]: [f64; 3]) -> Value {
    Value {
        csv: format!("{value},{low},{high}"),
        markdown: format!("{value:.2} ({low:.2} to {high:.2})"),
    }
}

/// A median between the quartiles: three columns of a CSV file, of which Markdown has the median.
pub fn quartiles([low, median, high]: [f64; 3], value: fn(f64) -> Value) -> Value {
    Value {
        csv: format!("{low},{median},{high}"),
        markdown: value(median).markdown,
    }
}

impl Value {
    /// Two values of one Markdown column: the other stands in brackets.
    pub fn with(self, other: Self) -> Self {
        Self {
            csv: format!("{},{}", self.csv, other.csv),
            markdown: format!("{} ({})", self.markdown, other.markdown),
        }
    }

    /// A value that may be missing.
    pub fn or_none(value: Option<Self>) -> Self {
        value.unwrap_or_else(|| Self {
            csv: String::new(),
            markdown: "none".to_owned(),
        })
    }
}

type Column<'a, R> = (&'a str, &'a str, Box<dyn Fn(&R) -> Value + 'a>);

/// The columns of a table whose rows are made of `R`.
pub struct Table<'a, R> {
    columns: Vec<Column<'a, R>>,
}

impl<'a, R> Table<'a, R> {
    /// Makes a table without columns yet.
    #[allow(clippy::new_without_default)] // nobody wants a table without columns
    pub fn new() -> Self {
        let columns = Vec::new();
        Self { columns }
    }

    /// Adds a column: its names in the CSV file, separated by commas, and its heading in Markdown. Where one of them is
    /// empty, the column is left out there.
    pub fn column(
        mut self,
        csv: &'a str,
        heading: &'a str,
        value: impl Fn(&R) -> Value + 'a,
    ) -> Self {
        self.columns.push((csv, heading, Box::new(value)));
        self
    }

    /// The text of the CSV file.
    pub fn csv(&self, rows: impl IntoIterator<Item = R>) -> String {
        let columns = || self.columns.iter().filter(|(csv, ..)| !csv.is_empty());
        let head: Vec<&str> = columns().map(|(csv, ..)| *csv).collect();
        let mut lines = vec![head.join(",")];
        lines.extend(rows.into_iter().map(|row| {
            let values: Vec<String> = columns().map(|(.., value)| value(&row).csv).collect();
            values.join(",")
        }));
        lines.join("\n") + "\n"
    }

    /// The text of the Markdown table.
    pub fn markdown(&self, rows: impl IntoIterator<Item = R>) -> String {
        let columns = || self.columns.iter().filter(|(_, name, _)| !name.is_empty());
        let line = |values: Vec<String>| format!("| {} |\n", values.join(" | "));
        let head: Vec<String> = columns().map(|(_, name, _)| (*name).to_owned()).collect();
        let rule = format!("|{}\n", "---|".repeat(head.len()));
        let mut text = line(head) + &rule;
        for row in rows {
            text += &line(columns().map(|(.., value)| value(&row).markdown).collect());
        }
        text
    }

    /// Writes `NAME.csv` and, between two texts, `NAME.md` into a folder.
    pub fn write(
        &self,
        folder: &Path,
        name: &str,
        rows: impl IntoIterator<Item = R> + Clone,
        (before, after): (&str, &str),
    ) -> Result<(), ExperimentError> {
        write_file(&folder.join(format!("{name}.csv")), &self.csv(rows.clone()))?;
        let text = format!("{before}\n\n{}{after}", self.markdown(rows));
        write_file(&folder.join(format!("{name}.md")), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_of_columns_makes_both_forms() {
        let table = Table::<f64>::new()
            .column("name", "name", |_| text("a, b"))
            .column("x,low,high", "x (95 %)", |x| interval([*x, 0.0, 1.0]))
            .column("p50,p99", "ms (99 %)", |x| {
                fixed(*x, 1).with(exponent(200.0))
            })
            .column("only_csv", "", |_| count(3))
            .column("", "only Markdown", |_| Value::or_none(None));
        let rows = [0.125];
        assert_eq!(
            table.csv(rows),
            "name,x,low,high,p50,p99,only_csv\n\"a, b\",0.125,0,1,0.125,200,3\n"
        );
        assert_eq!(
            table.markdown(rows),
            "| name | x (95 %) | ms (99 %) | only Markdown |\n|---|---|---|---|\n\
             | a, b | 0.12 (0.00 to 1.00) | 0.1 (2.0e2) | none |\n"
        );
    }
}
