//! Reading Parquet files row by row.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use super::error::{At, LeRobotError};

/// Rows that are decoded at a time: images are large.
const BATCH: usize = 16;

/// The rows of `path` with the columns `wanted`; with those of `optional` as well, where there are any.
///
/// # Errors
/// [`LeRobotError`] of a file that is missing, cut, or without one of the columns.
pub(super) fn rows(
    path: &Path,
    wanted: &[&str],
    optional: &[&str],
) -> Result<impl Iterator<Item = Result<Record, LeRobotError>>, LeRobotError> {
    let file = File::open(path).at(path)?;
    let reader = SerializedFileReader::new(file)
        .map_err(|error| format!("expected a whole Parquet file: {error}"))
        .at(path)?;
    let schema = reader.metadata().file_metadata().schema();
    let names: Vec<&str> = schema
        .get_fields()
        .iter()
        .map(|field| field.name())
        .collect();
    if let Some(missing) = wanted.iter().find(|name| !names.contains(name)) {
        let text = format!("expected a column `{missing}`, found {}", names.join(", "));
        return Err(LeRobotError::new(path, text));
    }
    let asked = |name: &str| wanted.contains(&name) || optional.contains(&name);
    let fields = schema
        .get_fields()
        .iter()
        .filter(|field| asked(field.name()));
    let projection = Type::group_type_builder(schema.name())
        .with_fields(fields.cloned().collect())
        .build()
        .at(path)?;
    let rows = RowIter::from_file_into(Box::new(reader))
        .with_batch_size(BATCH)
        .project(Some(projection))
        .at(path)?;
    let of_path = path.to_path_buf();
    Ok(rows.map(move |row| match row {
        Ok(row) => Ok(Record(row)),
        Err(error) => Err(LeRobotError::new(&of_path, error.to_string())),
    }))
}

/// One row.
pub(super) struct Record(Row);

impl Record {
    fn field(&self, name: &str) -> Option<&Field> {
        let mut columns = self.0.get_column_iter();
        columns
            .find(|(key, _)| *key == name)
            .map(|(_, field)| field)
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        number(self.field(name)?).map(|value| value as i64)
    }

    /// A number, or the first of a list.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.numbers(name)?.first().copied()
    }

    /// Numbers in a list, or a single one.
    pub(super) fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        match self.field(name)? {
            Field::ListInternal(list) => list.elements().iter().map(number).collect(),
            single => number(single).map(|value| vec![value]),
        }
    }

    /// Texts in a list, or a single one.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let text = |field: &Field| match field {
            Field::Str(text) => Some(text.clone()),
            _ => None,
        };
        match self.field(name)? {
            Field::ListInternal(list) => list.elements().iter().map(text).collect(),
            single => text(single).map(|text| vec![text]),
        }
    }

    /// The bytes of an image file: a column of bytes, or a struct with `bytes`.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        let of = |field: &Field| matches!(field, Field::Bytes(_));
        let field = match self.field(name)? {
            Field::Group(group) => {
                let mut columns = group.get_column_iter();
                columns
                    .find(|(_, field)| of(field))
                    .map(|(_, field)| field)?
            }
            field => field,
        };
        match field {
            Field::Bytes(bytes) => Some(bytes.data()),
            _ => None,
        }
    }
}

fn number(field: &Field) -> Option<f64> {
    Some(match field {
        Field::Bool(value) => f64::from(u8::from(*value)),
        Field::Byte(value) => f64::from(*value),
        Field::Short(value) => f64::from(*value),
        Field::Int(value) => f64::from(*value),
        Field::Long(value) => *value as f64,
        Field::UByte(value) => f64::from(*value),
        Field::UShort(value) => f64::from(*value),
        Field::UInt(value) => f64::from(*value),
        Field::ULong(value) => *value as f64,
        Field::Float16(value) => f64::from(f32::from(*value)),
        Field::Float(value) => f64::from(*value),
        Field::Double(value) => *value,
        _ => return None,
    })
}
