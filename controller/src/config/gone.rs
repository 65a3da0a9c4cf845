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
        instead: "image collocation is a planner of version 0.1.0 alone, docs/experiments.md keeps what it did; remove the \
                  section",
    },
    Gone {
        path: "planner.kind = \"image_collocation\"",
        neutral: "",
        instead: "image collocation is a planner of version 0.1.0 alone, docs/experiments.md keeps what it did; choose \
                  another",
    },
];

/// Whether `[planner.KEY]` is a section that there is no more.
pub(super) fn is_section_gone(key: &str) -> bool {
    GONE.iter()
        .any(|gone| gone.path.strip_prefix("planner.") == Some(key))
}
