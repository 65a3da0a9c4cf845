//! The macro that declares the settings of one table.

/// Declares a table of settings: a struct whose fields are the settings, with their defaults and what is checked and told of them.
///
/// A line is `name: type = default, words;` under a comment that says what the setting means; without a default it is the
/// type's own. The words are methods of [`Setting`](crate::settings::Setting): `above(0.0)`, `within(1.0, 64.0)`, `live`,
/// `filled` and the others. A field whose type is declared by this macro as well is a table inside the table.
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty $(= $default:expr)? $(, $word:ident $(($($argument:expr),*))?)*;
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self {
                    $($name: $crate::settings!(@default $($default)?),)+
                }
            }
        }

        impl $crate::settings::SettingType for $section {
            const KIND: $crate::settings::Kind = {
                const SETTINGS: &[$crate::settings::Setting] = &[
                    $(
                        $crate::settings::Setting::new(
                            stringify!($name),
                            concat!($($doc, "\n"),+),
                            (
                                <$type as $crate::settings::SettingType>::KIND,
                                <$type as $crate::settings::SettingType>::RANGE,
                                <$type as $crate::settings::SettingType>::IS_OPTIONAL,
                            ),
                            <$type as $crate::settings::SettingType>::check,
                        )
                        $(.$word($($($argument),*)?))*
                    ),+
                ];
                $crate::settings::Kind::Section(SETTINGS)
            };
        }
    };
    (@default) => {
        Default::default()
    };
    (@default $default:expr) => {
        $default
    };
}
