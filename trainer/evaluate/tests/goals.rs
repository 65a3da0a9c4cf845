//! Plans to pictures of where the simulated arm was.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

use std::ops::ControlFlow;
use std::path::Path;

use latco_controller::Config;
use latco_controller::config::PlannerKind;
use latco_evaluate::{EvaluateError, GoalEvaluation, GoalOptions, Judge, evaluate_goals};
use latco_models::Bundle;

fn reach() -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/bundles/reach");
    Bundle::load(&folder, &Default::default()).unwrap()
}

fn options(steps: u32, episodes: u32) -> GoalOptions {
    GoalOptions {
        task: "reach".into(),
        steps,
        episodes,
        seed: 0,
        closed_loop: false,
        joints_are_told: true,
        judge: Judge::Joints(0.15),
    }
}

fn run(bundle: &Bundle, config: &Config, options: &GoalOptions) -> GoalEvaluation {
    evaluate_goals(bundle, config, options, |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn plans_lead_to_what_the_picture_shows_as_the_model_sees_it() {
    let bundle = reach();
    for kind in [PlannerKind::Latco, PlannerKind::Cem] {
        let mut config = Config::default();
        config.planner.kind = kind;
        config.planner.latco.iterations_cold = 30;
        (config.planner.cem.samples, config.planner.cem.elites) = (128, 12);
        let found = run(&bundle, &config, &options(15, 2));
        for episode in &found.episodes {
            let [before, after] = episode.distance;
            assert!(after < 0.6 * before, "{kind}: {episode:?}");
        }
    }
}

#[test]
fn a_goal_further_away_than_the_model_looks_is_refused() {
    let refused = evaluate_goals(&reach(), &Config::default(), &options(25, 1), |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(refused, Err(EvaluateError::GoalSteps { .. })));
}
