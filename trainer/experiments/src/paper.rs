//! What the paper found (Rybkin et al. 2021), on Meta-World's robots with its own models and cameras.

use latco_controller::config::PlannerKind;

/// A figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Task of the paper that the figure is of.
    pub task: &'static str,
    /// Value as the paper prints it.
    pub value: &'static str,
    /// Table or figure of the paper.
    pub source: &'static str,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.value, self.task, self.source)
    }
}

/// What must stand below every table with figures of the paper.
pub const TASKS_DIFFER: &str = "The paper's figures are of other tasks: Meta-World's robots, cameras and models of its own, \
     here named beside ours by what has to be done (reach: Reaching, key: Button, push: Pushing, stick: Thermos). \
     They tell the order of the planners that it found and no value to be met. Those whose names begin with metaworld are its \
     tasks but for what docs/simulators.md says, and its models were trained online from nothing.";

/// The paper's task that is the most like ours, its place in tables 1 and 2.
const NEAREST: [(&str, &str, &str); 8] = [
    ("reach", "Reaching", "Table 1"),
    ("key", "Button", "Table 1"),
    ("push", "Pushing", "Table 1"),
    ("stick", "Thermos", "Table 2"),
    ("metaworld-reach", "Reaching", "Table 1"),
    ("metaworld-button", "Button", "Table 1"),
    ("metaworld-window", "Window", "Table 1"),
    ("metaworld-drawer", "Drawer", "Table 1"),
];

/// Success by planner on Reaching, Button, Window, Drawer, Pushing (table 1), Thermos and Hammer (table 2); empty where it is not
/// known here.
const SUCCESS: [(PlannerKind, [&str; 7]); 4] = [
    (
        PlannerKind::Latco,
        [
            "91 ± 3 %",
            "55 ± 4 %",
            "49 %",
            "46 %",
            "38 ± 3 %",
            "37 ± 21 %",
            "13 ± 2 %",
        ],
    ),
    (
        PlannerKind::Cem,
        [
            "20 ± 1 %",
            "13 ± 2 %",
            "",
            "22 %",
            "22 ± 3 %",
            "1 ± 1 %",
            "1 ± 0 %",
        ],
    ),
    (
        PlannerKind::Mppi,
        [
            "16 ± 1 %",
            "10 ± 2 %",
            "",
            "",
            "21 ± 4 %",
            "0 ± 0 %",
            "0 ± 0 %",
        ],
    ),
    (
        PlannerKind::ShootingGd,
        [
            "8 ± 1 %",
            "7 ± 0 %",
            "",
            "18 %",
            "19 ± 3 %",
            "0 ± 0 %",
            "3 ± 1 %",
        ],
    ),
];

/// Tasks of the columns of [`SUCCESS`].
const COLUMNS: [&str; 7] = [
    "Reaching", "Button", "Window", "Drawer", "Pushing", "Thermos", "Hammer",
];

/// The success of a planner (by the name of its row) on the paper's task that is most like ours.
#[must_use]
pub fn success(task: &str, row: &str) -> Option<Figure> {
    let (_, nearest, source) = NEAREST.into_iter().find(|(ours, ..)| *ours == task)?;
    of_table(nearest, row, source)
}

/// What the paper found for a planner on the two tasks of table 2.
#[must_use]
pub fn table2(row: &str) -> Vec<Figure> {
    (["Thermos", "Hammer"].into_iter())
        .filter_map(|task| of_table(task, row, "Table 2"))
        .collect()
}

fn of_table(task: &'static str, row: &str, source: &'static str) -> Option<Figure> {
    let (_, values) = SUCCESS.iter().find(|(kind, _)| kind.name() == row)?;
    let column = COLUMNS.iter().position(|name| *name == task)?;
    let value = Some(values[column]).filter(|value| !value.is_empty())?;
    Some(Figure {
        task,
        value,
        source,
    })
}

/// What table 3 has for a variant of LatCo: success on Button and plans per second on the paper's GPU.
#[must_use]
pub fn ablation(row: &str) -> Option<Figure> {
    let value = match row {
        "latco" => "55 %, 1.6 plans/s",
        "no_relaxation" => "38 %, 1.6 plans/s",
        "no_constrained" => "40 %, 1.6 plans/s",
        "no_deterministic" => "43 %, 1.6 plans/s",
        "no_second_order" => "48 %, 0.1 plans/s",
        "image_collocation" => "18 %, 0.2 plans/s",
        _ => return None,
    };
    Some(Figure {
        task: "Button",
        value,
        source: "Table 3",
    })
}

/// What figure 7 shows of the Lottery, in words.
#[must_use]
pub fn lottery(row: &str) -> Option<Figure> {
    let value = match row {
        "latco" | "shooting_gd" => "both about equally often",
        "gaussian_latco" => "Top",
        "cem" => "mostly Bottom",
        _ => return None,
    };
    Some(Figure {
        task: "Lottery",
        value,
        source: "Figure 7",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_named_with_their_source() {
        let told = |task, row| success(task, row).map(|f| f.to_string());
        assert_eq!(
            told("push", "cem").as_deref(),
            Some("22 ± 3 % (Pushing, Table 1)")
        );
        assert_eq!(
            told("stick", "latco").as_deref(),
            Some("37 ± 21 % (Thermos, Table 2)")
        );
        assert_eq!(
            told("metaworld-drawer", "cem").as_deref(),
            Some("22 % (Drawer, Table 1)")
        );
        assert_eq!(told("metaworld-drawer", "mppi"), None);
        assert_eq!(told("reach", "ilqr"), None);
        assert_eq!(told("lottery", "latco"), None);
        assert_eq!(table2("shooting_gd")[1].value, "3 ± 1 %");
    }
}
