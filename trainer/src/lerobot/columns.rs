//! Writing Parquet files, with the columns that LeRobot has.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::error::{At, LeRobotError};

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Integers(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Marks(Vec<bool>),
    Texts(Vec<String>),
    /// Rows of equal width.
    Vectors(usize, Vec<f32>),
    TextLists(Vec<Vec<String>>),
    /// Image files.
    Images(Vec<Vec<u8>>),
}

impl Column {
    /// Numbers with a row of `width`; LeRobot has single ones without a list.
    pub(super) fn of_width(width: usize, values: Vec<f32>) -> Self {
        match width {
            1 => Self::Floats(values),
            _ => Self::Vectors(width, values),
        }
    }

    fn schema(&self, name: &str) -> String {
        let list = |element: &str| {
            format!(
                "optional group {name} (LIST) {{ repeated group list {{ optional {element}; }} }}"
            )
        };
        match self {
            Self::Integers(_) => format!("optional int64 {name};"),
            Self::Floats(_) => format!("optional float {name};"),
            Self::Doubles(_) => format!("optional double {name};"),
            Self::Marks(_) => format!("optional boolean {name};"),
            Self::Texts(_) => format!("optional binary {name} (UTF8);"),
            Self::Vectors(..) => list("float element"),
            Self::TextLists(_) => list("binary element (UTF8)"),
            Self::Images(_) => {
                format!(
                    "optional group {name} {{ optional binary bytes; optional binary path (UTF8); }}"
                )
            }
        }
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, File>) -> Result<(), ParquetError> {
        let text = |text: &String| ByteArray::from(text.as_str());
        match self {
            Self::Integers(values) => leaf::<Int64Type>(group, values, 1, None),
            Self::Floats(values) => leaf::<FloatType>(group, values, 1, None),
            Self::Doubles(values) => leaf::<DoubleType>(group, values, 1, None),
            Self::Marks(values) => leaf::<BoolType>(group, values, 1, None),
            Self::Texts(values) => {
                let values: Vec<ByteArray> = values.iter().map(text).collect();
                leaf::<ByteArrayType>(group, &values, 1, None)
            }
            Self::Vectors(width, values) => {
                let repeated = (0..values.len()).map(|at| i16::from(!at.is_multiple_of(*width)));
                leaf::<FloatType>(group, values, 3, Some(repeated.collect()))
            }
            Self::TextLists(rows) => {
                let repeated = rows
                    .iter()
                    .flat_map(|row| (0..row.len()).map(|at| i16::from(at != 0)));
                let values: Vec<ByteArray> = rows.iter().flatten().map(text).collect();
                leaf::<ByteArrayType>(group, &values, 3, Some(repeated.collect()))
            }
            Self::Images(files) => {
                let bytes: Vec<ByteArray> = files.iter().map(|file| file.clone().into()).collect();
                leaf::<ByteArrayType>(group, &bytes, 2, None)?;
                // No paths: the group is there, its field is not.
                let mut column = next(group)?;
                let levels = vec![1; files.len()];
                column
                    .typed::<ByteArrayType>()
                    .write_batch(&[], Some(&levels), None)?;
                column.close()
            }
        }
    }
}

fn next<'a>(
    group: &'a mut SerializedRowGroupWriter<'_, File>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'a>, ParquetError> {
    let column = group.next_column()?;
    column.ok_or_else(|| ParquetError::General("more columns than in the schema".into()))
}

/// Writes one column of values of which none is missing; `definition` is how many of the levels above them may be.
fn leaf<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    definition: i16,
    repeated: Option<Vec<i16>>,
) -> Result<(), ParquetError> {
    let mut column = next(group)?;
    let levels = vec![definition; values.len()];
    column
        .typed::<T>()
        .write_batch(values, Some(&levels), repeated.as_deref())?;
    column.close()
}

/// A Parquet file that is being written, a row group at a time.
pub(super) struct Table {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl Table {
    /// Makes the file with columns like these, and texts beside them that their readers look for.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub(super) fn create(
        path: &Path,
        columns: &[(String, Column)],
        beside: &[(&str, String)],
    ) -> Result<Self, LeRobotError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).at(folder)?;
        }
        let mut message = "message schema {".to_owned();
        for (name, column) in columns {
            let _ = write!(message, " {}", column.schema(name)); // a String takes everything
        }
        message.push_str(" }");
        let schema = parse_message_type(&message).at(path)?;
        let beside = beside.iter();
        let beside = beside.map(|(key, text)| KeyValue::new((*key).to_owned(), text.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(beside.collect()))
            .build();
        let file = File::create(path).at(path)?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            path: path.to_path_buf(),
            writer: writer.at(path)?,
        })
    }

    /// Appends rows; the columns are those that it was made with.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub(super) fn append(&mut self, columns: &[(String, Column)]) -> Result<(), LeRobotError> {
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            columns
                .iter()
                .try_for_each(|(_, column)| column.write(&mut group))?;
            group.close()
        };
        write().map(drop).at(&self.path)
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`LeRobotError`].
    pub(super) fn finish(self) -> Result<(), LeRobotError> {
        self.writer.close().map(drop).at(&self.path)
    }
}
