//! Enums whose values are words in files, reports and command lines.

/// Declares an enum with a word for each variant: `ALL`, `name` and [`Display`](std::fmt::Display) come from it.
///
/// ```
/// latco_models::named! {
///     /// The way of a robot.
///     #[derive(Clone, Copy)]
///     pub enum Way {
///         /// It goes there.
///         There => "there",
///         /// It comes back.
///         Back => "back",
///     }
/// }
/// assert_eq!(Way::ALL.map(Way::name), ["there", "back"]);
/// ```
#[macro_export]
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident => $name:literal,
            )+
        }
    ) => {
        $(#[$meta])*
        pub enum $type {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $type {
            /// All of them, in the order of their declaration.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The word for it in configurations and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
