//! Places on the table, in m.

/// A place or a displacement on the table in m; x points to the right and y up in the picture.
pub type Place = [f64; 2];

/// Half the width of the table, and of what the camera sees, in m.
pub const TABLE_HALF_WIDTH: f64 = 1.0;

pub(crate) fn distance(a: Place, b: Place) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The displacement from `a` to `b`.
pub(crate) fn between(a: Place, b: Place) -> Place {
    [b[0] - a[0], b[1] - a[1]]
}

/// The place that `by` times `step` leads to from `from`.
pub(crate) fn along(from: Place, step: Place, by: f64) -> Place {
    [from[0] + by * step[0], from[1] + by * step[1]]
}

pub(crate) fn dot(a: Place, b: Place) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// The point of the line from `a` to `b` that is nearest to a place.
pub(crate) fn nearest_on(a: Place, b: Place, place: Place) -> Place {
    let line = between(a, b);
    let share = dot(line, between(a, place)) / dot(line, line);
    // a line without length has none
    let share = if share.is_finite() { share } else { 0.0 };
    along(a, line, share.clamp(0.0, 1.0))
}

/// The unit vector from `a` to `b`; it points up where they are one place.
pub(crate) fn direction(a: Place, b: Place) -> Place {
    let length = distance(a, b);
    if length > 1e-9 {
        [(b[0] - a[0]) / length, (b[1] - a[1]) / length]
    } else {
        [0.0, 1.0]
    }
}

/// The place at a distance from `middle` in the direction of an angle in rad.
pub(crate) fn around(middle: Place, distance: f64, angle: f64) -> Place {
    let (sin, cos) = angle.sin_cos();
    [middle[0] + distance * cos, middle[1] + distance * sin]
}

/// Whether a disc lies wholly on the table.
pub(crate) fn on_table(middle: Place, radius: f64) -> bool {
    middle.iter().all(|x| x.abs() <= TABLE_HALF_WIDTH - radius)
}
