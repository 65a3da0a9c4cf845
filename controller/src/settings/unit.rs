//! Units that the names of settings end with.

/// Ends of names and the units that they stand for; the longest come first.
const UNITS: &[(&str, &str)] = &[
    ("_rad_s3", "rad/s³"),
    ("_rad_s2", "rad/s²"),
    ("_rad_s", "rad/s"),
    ("_rad", "rad"),
    ("_ms", "ms"),
    ("_m", "m"),
    ("_hz", "Hz"),
    ("_mb", "MB"),
    ("_periods", "control periods"),
    ("_s", "s"),
];

/// The unit in the name of a key.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    let found = UNITS.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(_, unit)| *unit)
}

/// Milliseconds of a day, the longest time that a setting may be.
pub const DAY_MS: f64 = 86_400_000.0;
