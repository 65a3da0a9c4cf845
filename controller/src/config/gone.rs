//! Settings that there were in earlier versions.

use crate::settings::Gone;

/// What is said of each of them.
pub(super) const GONE: &[Gone] = &[
    Gone {
        path: "planner.latco.damping_policy",
        neutral: "\"constant\"",
        instead: "the damping is always constant, an adaptive one made worse plans; remove the line",
    },
    Gone {
        path: "planner.image_collocation",
        neutral: "",
        instead: "image collocation is no planner of the robot any more but a row of `latco-train experiment table3`; remove \
                  the section",
    },
    Gone {
        path: "planner.kind = \"image_collocation\"",
        neutral: "",
        instead: "image collocation is no planner of the robot any more but a row of `latco-train experiment table3`; choose \
                  another",
    },
];

/// Whether `[planner.KEY]` is a section that there is no more.
pub(super) fn is_section_gone(key: &str) -> bool {
    GONE.iter()
        .any(|gone| gone.path.strip_prefix("planner.") == Some(key))
}
