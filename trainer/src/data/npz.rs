//! Episodes of other projects: npz files with the keys of PlaNet, Dreamer and LatCo.
//!
//! `image` u8 `[T, h, w, 3]`, `action` `[T, na]`, `reward` `[T]` or `[T, 1]`; optional `state`
//! `[T, ns]`, `is_first` and `is_last` `[T]`. Numbers other than images may be floats of 16 to 64 bits, integers or bool;
//! marks may be bool or u8.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use half::f16;
use latco_models::RegularFile;
use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::{ViewDataError, ViewElement, ViewNpyExt};
use py_literal::Value;
use zip::ZipArchive;

use super::error::DataError;

/// The keys that are read.
const KEYS: [&str; 6] = ["image", "action", "reward", "state", "is_first", "is_last"];
/// Bytes that the arrays of an episode may unpack to: 87,000 images of 64x64.
const MOST_BYTES: usize = 1 << 30;

/// One npz file.
#[derive(Debug, Clone, PartialEq)]
pub struct NpzEpisode {
    /// Frames `T`.
    pub frames: usize,
    /// Rows of the images.
    pub height: usize,
    /// Columns of the images.
    pub width: usize,
    /// RGB, `[T, h, w, 3]`.
    pub images: Vec<u8>,
    /// Values per state, 0 without states.
    pub state_width: usize,
    /// `[T, ns]`.
    pub states: Vec<f64>,
    /// Values per action.
    pub action_width: usize,
    /// `[T, na]`.
    pub actions: Vec<f64>,
    /// `[T]`.
    pub rewards: Vec<f64>,
    /// `[T]`; without the key only the first frame begins an episode.
    pub is_first: Vec<bool>,
}

/// Sixteen bits of a float, as numpy's float16 has them.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Half(u16);

impl ViewElement for Half {
    fn bytes_as_slice<'a>(
        bytes: &'a [u8],
        type_desc: &Value,
        len: usize,
    ) -> Result<&'a [Self], ViewDataError> {
        match type_desc {
            Value::String(name) if name == "<f2" => {}
            other => return Err(ViewDataError::WrongDescriptor(other.clone())),
        }
        let bits = u16::bytes_as_slice(bytes, &Value::String("<u2".into()), len)?;
        Ok(bytemuck::cast_slice(bits))
    }
}

/// An array of one of the types that are understood.
enum Array {
    Bytes(ArrayD<u8>),
    Marks(ArrayD<bool>),
    Numbers(&'static str, ArrayD<f64>),
    Unused(String),
    Other(String),
}

impl Array {
    fn dtype(&self) -> &str {
        match self {
            Self::Bytes(_) => "u8",
            Self::Marks(_) => "bool",
            Self::Numbers(name, _) => name,
            Self::Unused(_) | Self::Other(_) => "unknown type",
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Bytes(array) => array.shape(),
            Self::Marks(array) => array.shape(),
            Self::Numbers(_, array) => array.shape(),
            Self::Unused(_) | Self::Other(_) => &[],
        }
    }

    /// The array as numbers; `None` where its type is not understood.
    fn numbers(&self) -> Option<Cow<'_, ArrayD<f64>>> {
        match self {
            Self::Numbers(_, array) => Some(Cow::Borrowed(array)),
            Self::Bytes(array) => Some(Cow::Owned(array.mapv(f64::from))),
            Self::Marks(array) => Some(Cow::Owned(array.mapv(|mark| f64::from(u8::from(mark))))),
            Self::Unused(_) | Self::Other(_) => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Unused(description) => description.clone(),
            Self::Other(why) => format!("an array that is not understood ({why})"),
            known => format!("{} {:?}", known.dtype(), known.shape()),
        }
    }
}

/// Reads one episode file.
///
/// # Errors
/// [`DataError::Npz`] with everything that does not fit and everything that is in the file.
pub fn read(path: &Path) -> Result<NpzEpisode, DataError> {
    let unreadable = |problem: String| DataError::Npz {
        path: path.to_path_buf(),
        problems: vec![problem],
        found: vec!["nothing that can be read".to_owned()],
    };
    let mut archive = RegularFile::open(path)
        .map_err(|error| error.to_string())
        .and_then(|file| ZipArchive::new(file.into_inner()).map_err(|error| error.to_string()))
        .map_err(|error| unreadable(format!("expected a npz file (zip of npy arrays): {error}")))?;
    let mut arrays: Vec<(String, Array)> = Vec::new();
    let mut room = MOST_BYTES;
    for index in 0..archive.len() {
        let entry = archive
            .by_index(index)
            .map_err(|error| unreadable(error.to_string()))?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let array = match KEYS.contains(&name.as_str()) {
            true => read_array(entry, &mut room),
            // Only told of, and not kept.
            false => Array::Unused(read_array(entry, &mut MOST_BYTES.clone()).describe()),
        };
        arrays.push((name, array));
    }
    check(&arrays).map_err(|problems| DataError::Npz {
        path: path.to_path_buf(),
        problems,
        found: arrays
            .iter()
            .map(|(name, array)| format!("`{name}` {}", array.describe()))
            .collect(),
    })
}

/// Unpacks an array into at most `room` bytes, and looks at it where it lies: neither what the archive nor what the head of
/// the array says of its size is believed.
fn read_array(entry: impl Read, room: &mut usize) -> Array {
    let mut bytes = Vec::new();
    let unpacked = entry.take(*room as u64 + 1).read_to_end(&mut bytes);
    if let Err(error) = unpacked {
        return Array::Other(error.to_string());
    }
    let Some(left) = room.checked_sub(bytes.len()) else {
        let why = format!("all arrays together have more than {MOST_BYTES} bytes");
        return Array::Other(why);
    };
    *room = left;
    // Numbers have to begin where numbers may.
    let mut aligned = vec![0u64; bytes.len().div_ceil(8)];
    let npy = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut aligned)[..bytes.len()];
    npy.copy_from_slice(&bytes);
    drop(bytes);
    let npy = &*npy;
    fn view<T: ViewElement>(npy: &[u8]) -> Result<ArrayViewD<'_, T>, String> {
        ArrayViewD::view_npy(npy).map_err(|error| error.to_string())
    }
    if let Ok(array) = view::<bool>(npy) {
        return Array::Marks(array.to_owned());
    }
    macro_rules! numbers {
        ($($type:ident as $name:literal by $convert:expr),* $(,)?) => {
            $(if let Ok(array) = view::<$type>(npy) {
                return Array::Numbers($name, array.mapv($convert));
            })*
        };
    }
    numbers!(
        f32 as "f32" by f64::from,
        f64 as "f64" by |value| value,
        Half as "f16" by |half: Half| f16::from_bits(half.0).to_f64(),
        i8 as "i8" by f64::from,
        i16 as "i16" by f64::from,
        u16 as "u16" by f64::from,
        i32 as "i32" by f64::from,
        u32 as "u32" by f64::from,
        i64 as "i64" by |value| value as f64,
        u64 as "u64" by |value| value as f64,
    );
    match view::<u8>(npy) {
        Ok(array) => Array::Bytes(array.to_owned()),
        Err(why) => Array::Other(why),
    }
}

/// The episode, or everything that does not fit.
fn check(arrays: &[(String, Array)]) -> Result<NpzEpisode, Vec<String>> {
    let mut problems = Vec::new();
    let find = |key: &str| {
        let found = arrays.iter().find(|(name, _)| name == key);
        found.map(|(_, array)| array)
    };
    let wrong = |key: &str, expected: &str, found: Option<&Array>| {
        let found = found.map_or("no such key".to_owned(), Array::describe);
        format!("`{key}`: expected {expected}, found {found}")
    };

    let image = match find("image") {
        Some(Array::Bytes(array)) if matches!(array.shape(), [t, h, w, 3] if t * h * w > 0) => {
            Some(array)
        }
        other => {
            problems.push(wrong("image", "u8 [T, h, w, 3]", other));
            None
        }
    };
    let frames = image.map(|array| array.shape()[0]);
    let fits = |array: &ArrayD<f64>| frames.is_none_or(|frames| array.shape()[0] == frames);
    let length = frames.map_or("T".to_owned(), |frames| frames.to_string());

    let mut matrix = |key: &str, required: bool| {
        let array = find(key);
        let is_matrix =
            |array: &Cow<'_, ArrayD<f64>>| array.ndim() == 2 && array.shape()[1] > 0 && fits(array);
        let found = array.and_then(Array::numbers).filter(is_matrix);
        if found.is_none() && (required || array.is_some()) {
            problems.push(wrong(key, &format!("numbers [{length}, n]"), array));
        }
        found
    };
    let actions = matrix("action", true);
    let states = matrix("state", false);
    let is_column =
        |array: &Cow<'_, ArrayD<f64>>| matches!(array.shape(), [_] | [_, 1]) && fits(array);
    let rewards = (find("reward").and_then(Array::numbers)).filter(is_column);
    if rewards.is_none() {
        let expected = format!("numbers [{length}]");
        problems.push(wrong("reward", &expected, find("reward")));
    }
    let mut marks = |key: &str| -> Option<Vec<bool>> {
        let found = find(key)?;
        let marks: Option<Vec<bool>> = match found {
            Array::Marks(array) if array.ndim() == 1 => Some(array.iter().copied().collect()),
            Array::Bytes(array) if array.ndim() == 1 => {
                Some(array.iter().map(|value| *value != 0).collect())
            }
            _ => None,
        };
        let marks = marks.filter(|marks| frames.is_none_or(|frames| marks.len() == frames));
        if marks.is_none() {
            problems.push(wrong(key, &format!("bool [{length}]"), Some(found)));
        }
        marks
    };
    let is_first = marks("is_first");
    marks("is_last");
    for (name, values) in [
        ("action", &actions),
        ("state", &states),
        ("reward", &rewards),
    ] {
        let bad = values
            .as_ref()
            .map_or(0, |v| v.iter().filter(|x| !x.is_finite()).count());
        if bad > 0 {
            problems.push(format!(
                "`{name}`: expected finite numbers, found {bad} that are not"
            ));
        }
    }
    let (Some(image), Some(actions), Some(rewards), true) =
        (image, actions, rewards, problems.is_empty())
    else {
        return Err(problems);
    };
    let frames = image.shape()[0];
    Ok(NpzEpisode {
        frames,
        height: image.shape()[1],
        width: image.shape()[2],
        images: image.iter().copied().collect(),
        state_width: states.as_ref().map_or(0, |array| array.shape()[1]),
        states: states.map_or(Vec::new(), |array| array.iter().copied().collect()),
        action_width: actions.shape()[1],
        actions: actions.iter().copied().collect(),
        rewards: rewards.iter().copied().collect(),
        is_first: is_first.unwrap_or_else(|| (0..frames).map(|frame| frame == 0).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(shape: &str, data: usize) -> Vec<u8> {
        let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let head = format!("{head:<117}\n");
        bytes.extend(u16::try_from(head.len()).unwrap().to_le_bytes());
        bytes.extend(head.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn f12_an_array_takes_no_more_memory_than_is_there_and_than_is_allowed() {
        let honest = npy("(2, 3)", 24);
        let mut room = 1000;
        let array = read_array(&honest[..], &mut room);
        assert_eq!(array.describe(), "f32 [2, 3]");
        assert_eq!(room, 1000 - honest.len());
        // Says to be of 17.2 GB.
        let mut room = 1000;
        let array = read_array(&npy("(4300000000,)", 24)[..], &mut room);
        assert!(matches!(array, Array::Other(_)), "{}", array.describe());
        // Unpacks without end.
        let mut room = 10_000;
        let array = read_array(std::io::repeat(0), &mut room);
        assert!(
            array.describe().contains("more than"),
            "{}",
            array.describe()
        );
        println!("f12: an array of 17.2 GB refused at 152 bytes, an endless one at 10 kB");
    }
}
