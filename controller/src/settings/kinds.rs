//! Types of fields that settings may have.

use toml::Value;

use super::setting::{Kind, Range};

/// The type of a field that is a setting.
pub trait SettingType {
    /// What kind of value it is.
    const KIND: Kind;
    /// Which numbers the type holds.
    const RANGE: Range = Range::FINITE;
    /// Whether there may be no value.
    const IS_OPTIONAL: bool = false;

    /// Checks what kind and range do not say.
    ///
    /// # Errors
    /// What was expected and what was found.
    fn check(_: &Value) -> Result<(), String> {
        Ok(())
    }
}

macro_rules! kinds {
    ($($type:ty: $kind:ident;)*) => {$(
        impl SettingType for $type {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

kinds! {
    bool: Flag;
    f64: Number;
    String: Text;
    Vec<f64>: Numbers;
    Vec<String>: Texts;
}

macro_rules! whole_numbers {
    ($($type:ty: $most:expr;)*) => {$(
        impl SettingType for $type {
            const KIND: Kind = Kind::Integer;
            const RANGE: Range = Range::of(0.0, $most as f64);
        }
    )*};
}

// TOML has no whole numbers beyond those of 64 bits with a sign.
whole_numbers! {
    u16: u16::MAX;
    u32: u32::MAX;
    u64: i64::MAX;
    usize: i64::MAX;
}

impl SettingType for Vec<usize> {
    const KIND: Kind = Kind::Integers;
    const RANGE: Range = usize::RANGE;
}

impl<T: SettingType> SettingType for Option<T> {
    const KIND: Kind = T::KIND;
    const RANGE: Range = T::RANGE;
    const IS_OPTIONAL: bool = true;

    fn check(value: &Value) -> Result<(), String> {
        T::check(value)
    }
}
