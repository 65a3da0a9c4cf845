//! Settings that are one of several words.

/// A word that is none of those that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}, found {found}")]
pub struct UnknownChoice {
    /// The words that there are.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Declares an enum whose values are words in configurations, reports and command lines; the first is the default.
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $(
                $(#[doc = $doc:literal])+
                $variant:ident = $name:literal,
            )+
        }
    ) => {
        $crate::named! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
            pub enum $type {
                $(
                    $(#[doc = $doc])+
                    #[serde(rename = $name)]
                    $variant => $name,
                )+
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::settings::UnknownChoice;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|kind| kind.name() == name);
                found.copied().ok_or_else(|| $crate::settings::UnknownChoice {
                    expected: [$($name),+].join(", "),
                    found: name.to_owned(),
                })
            }
        }

        impl $crate::settings::SettingType for $type {
            const KIND: $crate::settings::Kind = $crate::settings::Kind::Choice(&[
                $($crate::settings::Choice {
                    name: $name,
                    doc: concat!($($doc, "\n"),+),
                }),+
            ]);
        }
    };
}
