//! Settings that there were in earlier versions: what is said of them, and what becomes of their values in recordings.

use toml::{Table, Value};

use crate::settings::path::{find, put, take};
use crate::settings::{ConfigError, FieldError};

/// Keys that were in a table.
struct Former {
    table: &'static str,
    /// Kinds of planners whose decisions depended on them; `None` for all.
    kinds: Option<&'static [&'static str]>,
    /// Keys that another table has now.
    moved: (&'static str, &'static [&'static str]),
    /// Keys that are constants now, as no robot needed other values, and these as TOML.
    fixed: &'static [(&'static str, &'static str)],
}

const NOWHERE: (&str, &[&str]) = ("", &[]);
const SCHEDULE: (&str, &[&str]) = (
    "planner.latco",
    &["iterations_cold", "iterations_warm", "warm_start"],
);

const FORMER: &[Former] = &[
    Former {
        table: "control",
        kinds: None,
        moved: NOWHERE,
        fixed: &[("max_skipped_frames", "5")],
    },
    Former {
        table: "planner",
        kinds: None,
        moved: NOWHERE,
        fixed: &[("cold_after_failures", "2"), ("stop_after_failures", "10")],
    },
    Former {
        table: "planner",
        kinds: Some(&[]),
        moved: NOWHERE,
        fixed: &[("dump_files", "20")],
    },
    Former {
        table: "planner.latco",
        kinds: Some(&["latco", "latco_first_order", "sampling_only"]),
        moved: NOWHERE,
        fixed: &[
            ("damping_policy", "\"constant\""),
            ("sampling_elites", "12"),
        ],
    },
    Former {
        table: "planner.latco",
        kinds: Some(&["latco_first_order"]),
        moved: NOWHERE,
        fixed: &[
            ("learning_rate", "0.05"),
            ("multiplier_every_iterations", "5"),
        ],
    },
    Former {
        table: "planner.gaussian_latco",
        kinds: Some(&["gaussian_latco"]),
        moved: (
            "planner.latco",
            &[
                "iterations_cold",
                "warm_start",
                "iterations_warm",
                "starts",
                "sampled_starts",
                "sampling_rounds",
                "starts_below_return",
                "dynamics_multiplier",
                "action_multiplier",
                "multiplier_rate",
                "damping",
                "multiplier_relaxation",
                "reward_tolerance",
                "rollout_every_iterations",
            ],
        ),
        fixed: &[
            ("sampling_elites", "12"),
            ("initial_std", "1.0"),
            ("std_scale", "1.0"),
        ],
    },
    Former {
        table: "planner.cem",
        kinds: Some(&["cem"]),
        moved: NOWHERE,
        fixed: &[("initial_std", "1.0")],
    },
    Former {
        table: "planner.mppi",
        kinds: Some(&["mppi"]),
        moved: (
            "planner.cem",
            &[
                "iterations",
                "samples",
                "elites",
                "gamma",
                "min_std",
                "warm_start",
                "sampled_states",
            ],
        ),
        fixed: &[("initial_std", "1.0")],
    },
    Former {
        table: "planner.shooting_gd",
        kinds: Some(&["shooting_gd"]),
        moved: SCHEDULE,
        fixed: &[
            ("learning_rate", "0.05"),
            ("action_multiplier", "1.0"),
            ("multiplier_rate", "0.1"),
            ("multiplier_every", "5"),
            ("tolerance", "0.0001"),
            ("rollout_every_iterations", "10"),
        ],
    },
    Former {
        table: "planner.shooting_gn",
        kinds: Some(&["shooting_gn"]),
        moved: SCHEDULE,
        fixed: &[
            ("damping", "0.1"),
            ("action_multiplier", "1.0"),
            ("rollout_every_iterations", "5"),
        ],
    },
    Former {
        table: "planner.ilqr",
        kinds: Some(&["ilqr"]),
        moved: SCHEDULE,
        fixed: &[
            ("regularisation", "0.001"),
            ("largest_regularisation", "1000000.0"),
            ("line_search_steps", "8"),
        ],
    },
];

/// The word by which LatCo by steps of first order was chosen.
const OPTIMISER: &str = "planner.latco.optimiser";
/// Iterations without a better plan after which a plan of a kind ended.
const STALLS: [(&str, &str); 2] = [
    ("latco", "planner.latco.stall_iterations"),
    ("gaussian_latco", "planner.gaussian_latco.stall_iterations"),
];
const NO_STALL: &str =
    "a plan ends when it converges, after its most iterations, or for want of time";
const IMAGES: &str = "image collocation is a planner of version 0.1.0 alone, docs/experiments.md keeps what it did; choose \
                      another";
/// What is said of keys, tables and words (as `key = "word"`) that are no others' now.
const WORDS: &[(&str, &str)] = &[
    (
        OPTIMISER,
        "\"adam\" is planner.kind = \"latco_first_order\" now, and \"levenberg_marquardt\" the only other",
    ),
    (STALLS[0].1, NO_STALL),
    (STALLS[1].1, NO_STALL),
    (
        "trace.iterations",
        "there is room for as many as planner.latco allows",
    ),
    ("planner.image_collocation", IMAGES),
    ("planner.kind = \"image_collocation\"", IMAGES),
];

/// What follows "is gone: " of a key or table that is not declared, or of a word as `key = "word"`.
pub(super) fn instead(path: &str) -> Option<String> {
    let is_in = |table: &str| {
        path.strip_prefix(table)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some((_, words)) = WORDS.iter().find(|(gone, _)| path == *gone || is_in(gone)) {
        return Some((*words).to_owned());
    }
    FORMER.iter().find_map(|former| {
        let (to, moved) = former.moved;
        let fixed = |(key, value): &(&str, &str)| format!("{key} is always {value}");
        if path == former.table {
            let fixed: Vec<String> = former.fixed.iter().map(fixed).collect();
            return Some(format!(
                "[{to}] has its {} now; {}",
                moved.join(", "),
                fixed.join(", ")
            ));
        }
        let key = path.strip_prefix(former.table)?.strip_prefix('.')?;
        if moved.contains(&key) {
            return Some(format!("{to}.{key} takes its place"));
        }
        former
            .fixed
            .iter()
            .find(|(gone, _)| *gone == key)
            .map(fixed)
    })
}

/// What an earlier version recorded, with the keys of this one. A value on which no decision of the recorded planner depended is
/// left out; what cannot be had any more is left in for the reader to refuse.
///
/// # Errors
/// [`ConfigError::Fields`] with every value on which decisions depended and that differs from the constant in its place.
pub(super) fn translated(mut table: Table) -> Result<Table, ConfigError> {
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
    let mut kind = text(find(&table, "planner.kind")).unwrap_or_else(|| "latco".into());
    let optimiser = text(take(&mut table, OPTIMISER).as_ref());
    if kind == "latco" && optimiser.as_deref() == Some("adam") {
        kind = "latco_first_order".into();
        put(&mut table, "planner.kind", kind.as_str().into());
    }
    take(&mut table, "trace.iterations");
    take(&mut table, "planner.image_collocation");
    let mut errors = Vec::new();
    let mut refuse = |path: String, expected: &str, found: &Value| {
        let message = format!(
            "expected {expected} as this version has it, found {found} in the recording; use the version that recorded it"
        );
        errors.push(FieldError::new(path, message));
    };
    for (of, path) in STALLS {
        let section = path.trim_end_matches(".stall_iterations");
        let iterations = ["iterations_cold", "iterations_warm"].map(|key| {
            let most = find(&table, &format!("{section}.{key}")).and_then(Value::as_integer);
            most.unwrap_or(0)
        });
        let most = iterations[0].max(iterations[1]);
        if let Some(found) = take(&mut table, path)
            && kind.strip_suffix("_first_order").unwrap_or(&kind) == of
            && found.as_integer().is_none_or(|stall| stall < most)
        {
            refuse(path.into(), &format!("{most} or more"), &found);
        }
    }
    for former in FORMER {
        let decided = former
            .kinds
            .is_none_or(|kinds| kinds.contains(&kind.as_str()));
        for (key, constant) in former.fixed {
            let path = format!("{}.{key}", former.table);
            match take(&mut table, &path) {
                Some(found) if decided && found.to_string() != *constant => {
                    refuse(path, constant, &found);
                }
                _ => {}
            }
        }
        let (to, keys) = former.moved;
        for key in keys {
            if let Some(value) = take(&mut table, &format!("{}.{key}", former.table))
                && decided
            {
                put(&mut table, &format!("{to}.{key}"), value);
            }
        }
        let rest = find(&table, former.table).and_then(Value::as_table);
        if rest.is_some_and(Table::is_empty) {
            take(&mut table, former.table);
        }
    }
    if errors.is_empty() {
        Ok(table)
    } else {
        Err(ConfigError::Fields(errors))
    }
}
