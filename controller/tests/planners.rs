//! The planners on a bundle of random weights: stop causes, budgets, warm start, determinism.

#![allow(clippy::unwrap_used)] // a failed helper fails the test

mod planner_bench;

use std::time::Duration;

use latco_controller::config::{LatcoSection, Objective, PlannerKind, SolverKind};
use latco_controller::plan::{Decisions, Goal, Noise, PlanSizes, PriorSteps, StartKind, StopCause};
use latco_controller::{Clock, Config, Time};
use latco_models::RewardKind;
use planner_bench::{Bench, HORIZON, STATE, TickingClock};

#[test]
fn the_iteration_budgets_of_cold_and_warm_plans_are_kept() {
    let mut bench = Bench::latco(|latco| {
        (latco.iterations_cold, latco.iterations_warm) = (12, 5);
        (latco.starts, latco.rollout_every_iterations) = (3, 4);
    });
    let cold = bench.plan(None);
    assert_eq!((cold.stop, cold.warm), (StopCause::IterationBudget, false));
    assert_eq!((cold.iterations, cold.plans), (12, 3));
    let starts: Vec<u32> = bench.trace.iterations().iter().map(|i| i.start).collect();
    assert_eq!(
        starts,
        [0, 1, 2].repeat(12),
        "three plans, iterated together"
    );
    let evaluated = (bench.trace.iterations().iter())
        .filter(|i| i.rollout_return.is_finite())
        .count();
    assert_eq!(evaluated, 9, "every fourth iterate of each is rolled out");
    let warm = bench.plan(Some(1.0));
    assert_eq!((warm.stop, warm.warm), (StopCause::IterationBudget, true));
    assert_eq!((warm.iterations, warm.plans), (5, 1));
    let far = bench.plan(Some(8.0));
    assert!(!far.warm, "nothing is left of the old plan");
}

#[test]
fn a_warm_plan_that_promises_too_little_is_joined_by_fresh_starts() {
    let mut bench = Bench::latco(|latco| {
        (latco.iterations_cold, latco.iterations_warm) = (12, 5);
        (latco.starts, latco.sampled_starts, latco.samples) = (4, 2, 16);
        latco.starts_below_return = 100.0;
    });
    assert_eq!(bench.plan(None).plans, 4);
    let warm = bench.plan(Some(1.0));
    assert_eq!((warm.iterations, warm.plans, warm.warm), (12, 4, true));

    // One that promises enough goes on alone.
    let mut bench = Bench::latco(|latco| {
        (latco.starts, latco.starts_below_return) = (2, 0.0);
    });
    bench.plan(None);
    let warm = bench.plan(Some(1.0));
    assert_eq!((warm.iterations, warm.plans), (20, 1));
}

#[test]
fn several_starts_are_never_worse_than_the_best_sample() {
    let mut sampled = 0;
    for seed in 0..8 {
        let mut bench = Bench::latco(|latco| {
            (latco.starts, latco.sampled_starts, latco.samples) = (3, 2, 32);
            latco.iterations_cold = 8;
        });
        bench.planner.reset(seed);
        // Without time for an iteration the answer is the best sample ...
        let base = bench.sample(bench.config.planner.latco.sampling_rounds);
        assert_eq!((base.stop, base.iterations), (StopCause::TimeBudget, 0));
        assert_eq!(base.best_start, StartKind::Sampled);
        // ... and iterations improve on it.
        bench.planner.reset(seed);
        let refined = bench.plan(None);
        assert!(refined.predicted_return >= base.predicted_return);
        assert!((refined.best_plan as usize) < 3);
        sampled += u32::from(refined.best_start == StartKind::Sampled);
    }
    assert!(sampled > 0, "a sampled start is the best at times");
}

#[test]
fn later_rounds_of_sampling_keep_the_best_and_improve_on_it() {
    let best_sample = |seed: u64, rounds: u32| {
        let mut bench = Bench::latco(|latco| {
            (latco.starts, latco.sampled_starts, latco.samples) = (2, 1, 32);
            latco.sampling_rounds = rounds;
        });
        bench.planner.reset(seed);
        let report = bench.sample(rounds);
        assert_eq!(report.iterations, 0);
        report.predicted_return
    };
    let mut improved = 0;
    for seed in 0..8 {
        let (one, four) = (best_sample(seed, 1), best_sample(seed, 4));
        assert!(four >= one, "seed {seed}: {four} after {one}");
        improved += u32::from(four > one);
    }
    assert!(improved >= 6, "{improved} of 8 improved");
}

#[test]
fn without_time_to_sample_noise_takes_the_place_of_the_samples() {
    let mut bench = Bench::latco(|latco| {
        (latco.starts, latco.sampled_starts, latco.samples) = (2, 1, 32);
    });
    // Once to learn how long sampling takes, then with less time than that.
    let slow = TickingClock::new(Duration::from_millis(10));
    bench.plan_until(None, Some(Time::from_seconds(10.0)), &slow);
    let fast = TickingClock::new(Duration::from_micros(1));
    let report = bench.plan_until(None, Some(Time::from_seconds(0.005)), &fast);
    assert!(!report.warm);
    let decisions = bench.planner.problem().map(|problem| problem.decisions);
    assert!(decisions.is_some_and(|decisions| decisions.sampling_rounds == 0));
    assert_ne!(report.best_start, StartKind::Sampled);
}

#[test]
fn sampling_does_as_many_rounds_as_half_of_the_time_allows() {
    let mut bench = Bench::latco(|latco| {
        (latco.starts, latco.sampled_starts, latco.samples) = (2, 1, 32);
        latco.sampling_rounds = 50;
    });
    let mut rounds = |deadline_s: f64| {
        // A round reads the clock about three times.
        let clock = TickingClock::new(Duration::from_millis(1));
        bench.planner.reset(0);
        bench.plan_until(None, Some(Time::from_seconds(deadline_s)), &clock);
        let problem = bench.planner.problem().expect("it planned");
        problem.decisions.sampling_rounds
    };
    let (few, more) = (rounds(0.06), rounds(0.12));
    assert!(0 < few && few < more && more < 50, "{few} and {more}");
    assert_eq!(rounds(10.0), 50);
}

#[test]
fn the_plan_is_shifted_by_whole_and_by_fractional_periods() {
    let shifted = |elapsed: f64| {
        let mut bench = Bench::latco(|latco| latco.iterations_cold = 120);
        bench.plan(None);
        let old = (bench.planner.problem()).map(|problem| problem.last.clone());
        // No time for an iteration: the answer is the shifted plan itself.
        let clock = TickingClock::new(Duration::from_millis(1));
        let report = bench.plan_until(Some(elapsed), Some(Time(0)), &clock);
        assert_eq!((report.warm, report.iterations), (true, 0));
        assert_eq!(report.best_start, StartKind::Shifted);
        (old.unwrap(), bench.solution)
    };
    let (old, whole) = shifted(2.0);
    let na = whole.actions.len() / HORIZON;
    let clipped: Vec<f32> = old.actions.iter().map(|a| a.clamp(-1.0, 1.0)).collect();
    assert_eq!(whole.actions[..6 * na], clipped[2 * na..]);
    assert_eq!(whole.actions[6 * na..], clipped[7 * na..].repeat(2));
    assert_eq!(whole.states[STATE..7 * STATE], old.states[3 * STATE..]);
    // The tail obeys the model; the first row is the state asked for.
    assert_eq!(whole.states[..STATE], [0.1; STATE]);
    assert_ne!(
        whole.states[7 * STATE..8 * STATE],
        whole.states[8 * STATE..]
    );

    let (_, jittered) = shifted(2.0005);
    assert_eq!(jittered, whole, "stamps are not exact to the nanosecond");

    let (_, half) = shifted(2.5);
    for step in 0..5 {
        for joint in 0..na {
            let at = |step: usize| old.actions[step * na + joint];
            let expected = (0.5 * (at(step + 2) + at(step + 3))).clamp(-1.0, 1.0);
            let found = half.actions[step * na + joint];
            assert!((found - expected).abs() < 1e-6, "{step} {joint}");
        }
    }
    let near = |row: usize, offset: usize| {
        let at = |row: usize| &old.states[row * STATE..][..STATE];
        let mixed = at(row + offset).iter().zip(at(row + offset + 1));
        let expected: Vec<f32> = mixed.map(|(a, b)| 0.5 * (a + b)).collect();
        let found = &half.states[row * STATE..][..STATE];
        (found.iter().zip(&expected)).all(|(a, b)| (a - b).abs() < 1e-6)
    };
    assert!((1..=5).all(|row| near(row, 2)));
}

#[test]
fn multipliers_are_copied() {
    let mut bench = Bench::latco(|latco| (latco.iterations_cold, latco.iterations_warm) = (60, 1));
    bench.plan(None);
    let last = |bench: &Bench| bench.trace.iterations().last().copied().unwrap();
    let before = last(&bench).dynamics_multiplier_mean;
    bench.plan(Some(1.0));
    let copied = last(&bench).dynamics_multiplier_mean;
    assert!((0.8..1.5).contains(&(copied / before)), "{before} {copied}");
}

/// A round of samples in a warm plan, after which what is executed is worth at least as much as the shifted plan alone.
#[test]
fn a_warm_plan_samples_beside_the_shifted_one() {
    let best = |warm_sampling| {
        let mut bench = Bench::latco(|latco| {
            (latco.starts, latco.sampled_starts, latco.samples) = (2, 1, 32);
            latco.warm_sampling = warm_sampling;
            (latco.iterations_warm, latco.starts_below_return) = (1, 0.0);
        });
        bench.plan(None);
        let report = bench.plan(Some(1.0));
        let rounds = bench.planner.decisions().map(|made| made.sampling_rounds);
        (report, rounds)
    };
    let (without, no_rounds) = best(false);
    let (with, rounds) = best(true);
    assert_eq!((no_rounds, rounds), (Some(0), Some(1)));
    assert_eq!(with.plans, 1);
    assert!(
        with.predicted_return >= without.predicted_return - 1e-4,
        "{with:?} {without:?}"
    );
}

#[test]
fn violations_fall_and_multipliers_rise_until_the_plan_obeys_the_model() {
    for solver in [SolverKind::Reduced, SolverKind::BlockTridiagonal] {
        let mut bench = Bench::latco(|latco| {
            latco.solver = solver;
            latco.iterations_cold = 120;
        });
        let report = bench.plan(None);
        assert!(report.dynamics_violation < 1e-3, "{solver:?}: {report:?}");
        let iterations = bench.trace.iterations();
        assert!(iterations[0].dynamics_violation_max > 10.0 * report.dynamics_violation);
        let largest = |i: usize| iterations[i].dynamics_multiplier_max;
        assert!(largest(iterations.len() - 1) > largest(0));
    }
}

#[test]
fn without_second_order_violations_fall_and_multipliers_rise_by_what_is_violated() {
    let bench = |change: fn(&mut LatcoSection)| {
        Bench::new(|config| {
            config.planner.kind = PlannerKind::LatcoFirstOrder;
            change(&mut config.planner.latco);
        })
    };
    let mut first = bench(|latco| {
        (latco.iterations_cold, latco.multiplier_rate) = (2000, 1.5);
        latco.rollout_every_iterations = 100;
    });
    let report = first.plan(None);
    let iterations = first.trace.iterations().to_vec();
    assert_eq!(report.iterations, 2000);
    let violation = |i: usize| iterations[i].dynamics_violation_max;
    assert!(
        report.dynamics_violation < 1e-2 * violation(0),
        "{report:?}"
    );
    assert!(report.action_violation < 0.3, "{report:?}");
    let multiplier = |i: usize| iterations[i].dynamics_multiplier_mean;
    assert_eq!(multiplier(0), 1.0);
    assert_eq!(multiplier(3), 1.0);
    let mean = iterations[4].dynamics_violation_mean;
    let risen = multiplier(4) - 1.0;
    assert!(
        (risen - 1.5 * (mean - 1e-4)).abs() < 1e-3 * risen,
        "{risen}"
    );
    assert!(report.predicted_return.is_finite() && report.best_iteration > 0);

    // The plan after it goes on from its multipliers.
    let last = multiplier(1999);
    assert!(first.plan(Some(1.0)).warm);
    let next = first.trace.iterations()[0].dynamics_multiplier_mean;
    assert!((0.8..1.2).contains(&(next / last)), "{next} {last}");

    // With multipliers that stay it is a penalty method.
    let mut penalties = bench(|latco| (latco.iterations_cold, latco.multiplier_rate) = (50, 0.0));
    penalties.plan(None);
    let last = penalties.trace.iterations().last().copied().unwrap();
    assert_eq!(last.dynamics_multiplier_mean, 1.0);

    // Several starts are iterated together.
    let plan = |change| {
        let mut several = bench(change);
        several.plan(None);
        let mut of_first = several.trace.iterations().iter().filter(|i| i.start == 0);
        of_first.next_back().copied().unwrap().planned_reward
    };
    let alone = plan(|latco| (latco.starts, latco.iterations_cold) = (1, 100));
    let together = plan(|latco| (latco.starts, latco.iterations_cold) = (3, 100));
    assert!((alone - together).abs() < 1e-3, "{alone} {together}");
}

#[test]
fn a_plan_that_has_converged_ends() {
    let mut bench = Bench::latco(|latco| {
        latco.iterations_cold = 2000;
        (latco.tolerance, latco.reward_tolerance) = (1e-2, 1e-2);
    });
    let report = bench.plan(None);
    assert_eq!(report.stop, StopCause::Converged, "{report:?}");
    assert!(report.iterations < 2000 && report.dynamics_violation <= 1e-2);
}

#[test]
fn the_deadline_is_kept_and_the_best_so_far_is_the_answer() {
    for kind in PlannerKind::ALL {
        // These find their optimum here before the deadline; iLQR has a test of its own.
        if matches!(kind, PlannerKind::Ilqr | PlannerKind::SampledGn) {
            continue;
        }
        if kind == PlannerKind::SamplingOnly {
            continue; // it has no iterations
        }
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            config.planner.latco.iterations_cold = 1000;
            config.planner.cem.iterations = 1000;
        });
        let clock = TickingClock::new(Duration::from_millis(1));
        // One plan to learn how long its parts take.
        bench.plan_until(None, Some(Time::from_seconds(0.05)), &clock);
        let deadline = clock.now() + Duration::from_millis(200);
        let report = bench.plan_until(None, Some(deadline), &clock);
        assert_eq!(report.stop, StopCause::TimeBudget, "{kind:?}");
        // Every look at the clock takes a tick, at the end as well.
        let late = Duration::from_millis(3);
        assert!(
            clock.now() <= deadline + late,
            "{kind:?}: {:?}",
            clock.now()
        );
        assert!((20..100).contains(&report.iterations), "{report:?}");
        assert!(report.best_iteration > 0, "{report:?}");
        assert!(report.predicted_return.is_finite());

        // Nothing fits: the answer is the shifted plan, or standing still (CEM, MPPI).
        let before = bench.solution.actions.clone();
        let report = bench.plan_until(Some(0.0), Some(Time(0)), &clock);
        assert_eq!((report.stop, report.iterations), (StopCause::TimeBudget, 0));
        match kind {
            PlannerKind::Cem | PlannerKind::Mppi => assert_eq!(bench.solution.actions, [0.0; 24]),
            _ => assert!(report.warm && bench.solution.actions != [0.0; 24]),
        }
        assert_eq!(before.len(), 24);
    }
}

#[test]
fn a_state_that_is_not_finite_fails_by_name_and_the_next_plan_is_cold() {
    let mut bench = Bench::latco(|_| ());
    bench.plan(None);
    bench.state[3] = f32::NAN;
    let report = bench.plan(Some(1.0));
    assert_eq!(report.stop, StopCause::NonFinite);
    assert!(bench.solution.actions.iter().all(|a| a.is_finite()));
    bench.state[3] = 0.0;
    assert!(!bench.plan(Some(1.0)).warm);
}

#[test]
fn a_factorisation_that_fails_is_named_and_the_answer_stays_usable() {
    // Next to no damping: in f32 the system is then as good as singular.
    for (solver, damping) in [
        (SolverKind::Reduced, 1e-38),
        (SolverKind::BlockTridiagonal, 1e-20),
    ] {
        let mut bench = Bench::latco(|latco| {
            (latco.solver, latco.damping) = (solver, damping);
        });
        let report = bench.plan(None);
        assert_eq!(report.stop, StopCause::FactorisationFailed, "{report:?}");
        let next = bench.plan(Some(1.0));
        assert!(!next.warm, "the next plan is made from nothing");
    }
}

#[test]
fn when_one_of_several_starts_fails_the_others_go_on() {
    let mut kinds = Vec::new();
    for seed in 0..20 {
        let mut bench = Bench::latco(|latco| {
            (latco.starts, latco.damping) = (4, 1e-30);
            latco.iterations_cold = 10;
        });
        bench.planner.reset(seed);
        let report = bench.plan(None);
        let lines = |start| {
            let of_start = bench.trace.iterations().iter().filter(|i| i.start == start);
            of_start.count() as u32
        };
        let done: Vec<u32> = (0..4).map(lines).collect();
        let sound = done.iter().filter(|&&done| done == 10).count();
        assert_eq!(
            report.stop.was_successful(),
            sound > 0,
            "{done:?} {report:?}"
        );
        kinds.push(sound);
    }
    let some = |sound: &usize| (1..4).contains(sound);
    assert!(kinds.iter().any(some), "sound plans of four: {kinds:?}");
}

#[test]
fn more_iterations_never_make_the_answer_worse() {
    let mut last = f32::NEG_INFINITY;
    for iterations in [5, 10, 20, 40, 80] {
        let mut bench = Bench::latco(|latco| {
            latco.iterations_cold = iterations;
            latco.rollout_every_iterations = 5;
        });
        let report = bench.plan(None);
        assert!(report.predicted_return >= last, "{iterations}: {report:?}");
        last = report.predicted_return;
    }
}

#[test]
fn a_warm_plan_is_at_least_as_good_as_the_shifted_one() {
    let mut bench = Bench::latco(|latco| latco.iterations_warm = 1);
    let cold = bench.plan(None);
    let state = bench.solution.states[16..32].to_vec();
    bench.state = state;
    let warm = bench.plan(Some(1.0));
    assert!(warm.warm);
    let shifted: f32 = bench
        .solution
        .rewards
        .iter()
        .map(|r| r.clamp(0.0, 1.0))
        .sum();
    assert!(
        (warm.predicted_return - shifted).abs() < 1e-4,
        "the return is of its rewards"
    );
    assert!(
        warm.predicted_return > cold.predicted_return - 1.5,
        "{cold:?} {warm:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_plan_bit_for_bit() {
    for kind in PlannerKind::ALL {
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            if kind == PlannerKind::SamplingOnly {
                config.planner.latco.sampled_starts = 1;
            }
        });
        bench.planner.reset(7);
        bench.plan(None);
        let first = bench.solution.clone();
        bench.planner.reset(7);
        bench.plan(None);
        assert_eq!(first.actions, bench.solution.actions);
        assert_eq!(first.states, bench.solution.states);
        bench.planner.reset(8);
        bench.plan(None);
        assert_ne!(first.actions, bench.solution.actions, "{kind}");
    }
}

#[test]
fn sampling_beats_standing_still_and_improves() {
    for kind in [PlannerKind::Cem, PlannerKind::Mppi] {
        let mut bench = Bench::new(|config| config.planner.kind = kind);
        let report = bench.plan(None);
        let means: Vec<f32> = bench
            .trace
            .iterations()
            .iter()
            .map(|i| i.planned_reward)
            .collect();
        assert_eq!(means.len(), 10);
        assert!(means[9] >= means[0], "{means:?}");
        assert!(report.predicted_return >= means[9] - 1e-3);
    }
}

#[test]
fn elites_by_sampled_futures_were_lucky_and_the_mean_is_executed() {
    for kind in [PlannerKind::Cem, PlannerKind::Mppi] {
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            config.planner.cem.sampled_states = true;
        });
        bench.planner.reset(7);
        let report = bench.plan(None);
        let first = bench.solution.clone();
        let last = *bench.trace.iterations().last().unwrap();
        assert_eq!((report.iterations, report.best_iteration), (10, 10));
        // What the elites were paid in their futures, and what the mean state promises.
        assert!(
            last.planned_reward > report.predicted_return,
            "{kind}: {last:?} {report:?}"
        );
        bench.planner.reset(7);
        bench.plan(None);
        assert_eq!(first.actions, bench.solution.actions, "{kind}");
    }
}

#[test]
fn gaussian_latco_starts_from_the_best_of_sampled_sequences() {
    let worth = |sampled| {
        let mut bench = Bench::new(|config| {
            config.planner.kind = PlannerKind::GaussianLatco;
            config.planner.gaussian_latco.objective = Objective::ExpectedReward;
            let latco = &mut config.planner.latco;
            (latco.starts, latco.sampled_starts) = (1, sampled);
            latco.iterations_cold = 1;
        });
        let report = bench.plan(None);
        let kind = bench.planner.decisions().map(|d| d.sampling_rounds);
        (report.best_start, kind, report.predicted_return)
    };
    let (start, rounds, sampled) = worth(1);
    assert_eq!((start, rounds), (StartKind::Sampled, Some(4)));
    let (start, rounds, noise) = worth(0);
    assert_eq!((start, rounds), (StartKind::Gaussian, Some(0)));
    assert!(sampled > noise, "{sampled} {noise}");
}

#[test]
fn shooting_improves_on_where_it_began_and_goes_on_from_the_last_plan() {
    for kind in [
        PlannerKind::ShootingGd,
        PlannerKind::ShootingGn,
        PlannerKind::Ilqr,
    ] {
        let mut bench = Bench::new(|config| config.planner.kind = kind);
        let cold = bench.plan(None);
        assert!(!cold.warm && cold.iterations > 1, "{kind}: {cold:?}");
        assert!(cold.best_iteration > 0, "{kind}: {cold:?}");
        let promised: Vec<f32> = bench
            .trace
            .iterations()
            .iter()
            .map(|i| i.planned_reward)
            .collect();
        assert!(promised.last() > promised.first(), "{kind}: {promised:?}");
        let sum: f32 = bench.solution.rewards.iter().sum();
        assert!(
            (sum - cold.predicted_return).abs() < 1e-4,
            "{kind}: {cold:?}"
        );
        let warm = bench.plan(Some(1.0));
        assert!(warm.warm, "{kind}: {warm:?}");
        assert!(
            warm.predicted_return > cold.predicted_return - 1.5,
            "{kind}: {cold:?} {warm:?}"
        );
    }
}

#[test]
fn ilqr_keeps_the_deadline_as_well() {
    let mut bench = Bench::new(|config| {
        config.planner.kind = PlannerKind::Ilqr;
        config.planner.latco.iterations_cold = 1000;
    });
    let clock = TickingClock::new(Duration::from_millis(10));
    let deadline = Time::from_seconds(0.2);
    let report = bench.plan_until(None, Some(deadline), &clock);
    assert_eq!(report.stop, StopCause::TimeBudget, "{report:?}");
    assert!(clock.now() <= deadline + Duration::from_millis(40));
}

#[test]
fn a_plan_that_ran_out_of_time_is_repeated_without_a_clock() {
    for kind in PlannerKind::ALL {
        if kind == PlannerKind::SamplingOnly {
            continue; // it has no iterations
        }
        let mut bench = Bench::new(|config| config.planner.kind = kind);
        bench.planner.reset(3);
        let clock = TickingClock::new(Duration::from_millis(30));
        let report = bench.plan_until(None, Some(Time::from_seconds(0.25)), &clock);
        assert_eq!(report.stop, StopCause::TimeBudget, "{kind}: {report:?}");
        let first = bench.solution.clone();
        let decisions = bench.planner.decisions().unwrap();
        bench.planner.reset(3);
        let again = bench.plan_again(decisions);
        assert_eq!(again, report, "{kind}");
        assert_eq!(bench.solution, first, "{kind}");
    }
}

#[test]
fn an_iteration_of_many_samples_is_given_up_in_time_and_what_was_drawn_of_it_counts() {
    for kind in [PlannerKind::Cem, PlannerKind::Mppi] {
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            config.planner.cem.samples = 256;
        });
        let mut after = Vec::new();
        for deadline_ms in [8, 12, 40] {
            bench.planner.reset(3);
            // Two readings of the clock a part of 32 samples, of which there are eight.
            let clock = TickingClock::new(Duration::from_millis(1));
            let deadline = Time::from_seconds(1e-3 * f64::from(deadline_ms));
            let report = bench.plan_until(None, Some(deadline), &clock);
            assert_eq!(report.stop, StopCause::TimeBudget, "{kind}: {report:?}");
            let decisions = bench.planner.decisions().unwrap();
            assert_eq!(decisions.out_of_time_after, Some(report.iterations));
            if report.iterations == 0 {
                assert_eq!(report.best_iteration, 1, "{kind}: of the cut one");
            }
            after.push((report.iterations, decisions.parts));
            let first = bench.solution.clone();
            bench.planner.reset(3);
            assert_eq!(bench.plan_again(decisions), report, "{kind}");
            assert_eq!(bench.solution, first, "{kind}");
            assert_ne!(bench.solution.actions, [0.0; 24]);
        }
        let [(0, few), (0, more), (several, _)] = after[..] else {
            panic!("{kind}: {after:?}");
        };
        assert!(
            0 < few && few < more && more < 8 && several > 0,
            "{after:?}"
        );
    }
}

#[test]
fn with_a_logit_as_reward_head_plans_are_compared_by_probabilities() {
    for kind in [
        PlannerKind::Latco,
        PlannerKind::GaussianLatco,
        PlannerKind::Cem,
        PlannerKind::Mppi,
    ] {
        let change = |config: &mut Config| config.planner.kind = kind;
        let mut bench = Bench::with_reward(RewardKind::BernoulliLogit, change);
        let report = bench.plan(None);
        assert!(bench.solution.rewards.iter().all(|r| 0.0 < *r && *r < 1.0));
        let sum: f32 = bench.solution.rewards.iter().sum();
        assert!(
            (sum - report.predicted_return).abs() < 1e-4,
            "{kind:?}: {report:?}"
        );
        let promised = bench.trace.iterations().iter().map(|i| i.planned_reward);
        assert!(promised.into_iter().all(|sum| 0.0 < sum && sum < 8.0));
    }
}

/// A budget of another clock than the machine's: what is learnt by that clock decides from the first plan on.
#[test]
fn times_are_learnt_by_the_clock_of_the_deadlines() {
    let mut bench = Bench::new(|config| config.planner.budget_ms = Some(50.0));
    let iterations = |bench: &mut Bench, tick| {
        let clock = TickingClock::new(tick);
        bench.planner.learn_times(&clock);
        let deadline = clock.now() + Duration::from_millis(50);
        bench.plan_until(None, Some(deadline), &clock).iterations
    };
    assert_eq!(iterations(&mut bench, Duration::from_millis(40)), 0);
    assert!(iterations(&mut bench, Duration::from_micros(10)) > 5);
}

/// Starts of LatCo and steps of Gauss-Newton: what is executed is at least worth the best start, and goes on from the last plan.
#[test]
fn sampled_gn_improves_on_the_starts_of_latco() {
    let mut bench = Bench::new(|config| {
        config.planner.kind = PlannerKind::SampledGn;
        let latco = &mut config.planner.latco;
        (latco.starts, latco.sampled_starts) = (2, 1);
        latco.warm_sampling = false;
    });
    let cold = bench.plan(None);
    let candidates = bench.planner.candidates();
    assert!(candidates.iterates > candidates.sampled, "{candidates:?}");
    assert_eq!(Some(cold.predicted_return), candidates.iterates);
    assert_eq!(cold.executed_candidate(), "iterate");
    assert!(bench.plan(Some(1.0)).warm);
    assert!(bench.planner.candidates().shifted.is_some());
}

/// Correlated noise moves CEM and MPPI farther: the samples of the first iteration are others, the plans as repeatable.
#[test]
fn correlated_noise_is_another_search() {
    for kind in [PlannerKind::Cem, PlannerKind::Mppi] {
        let plan = |correlated_noise| {
            let mut bench = Bench::new(|config| {
                config.planner.kind = kind;
                config.planner.cem.correlated_noise = correlated_noise;
            });
            bench.plan(None);
            bench.solution
        };
        assert_eq!(plan(true), plan(true));
        assert_ne!(plan(true), plan(false));
    }
}

/// The starts of LatCo without its iterations: what LatCo has before the first of them.
/// The goal is where random actions lead; from noise, gradients and samples alike find back there.
#[test]
fn every_planner_that_knows_goals_plans_to_one_and_repeats_it() {
    for kind in PlannerKind::ALL {
        if matches!(
            kind,
            PlannerKind::GaussianLatco | PlannerKind::LatcoFirstOrder
        ) {
            continue;
        }
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            config.goal.weight = 1.0;
            let latco = &mut config.planner.latco;
            (latco.iterations_cold, latco.starts, latco.sampled_starts) = (120, 2, 1);
        });
        let sizes = PlanSizes::new(&bench.config, bench.bundle.manifest());
        let mut states = vec![0.0; (HORIZON + 1) * STATE];
        states[..STATE].copy_from_slice(&bench.state);
        let mut actions = vec![0.0; HORIZON * sizes.action];
        Noise::new(7).fill_uniform(&mut actions, 0.9);
        let mut prior = PriorSteps::new(&bench.bundle, &sizes).unwrap();
        prior.fill(0, &mut states, &actions).unwrap();
        let goal = Goal {
            belief: states[HORIZON * STATE..][..sizes.goal].to_vec(),
            weight: 1.0,
        };
        bench.plan(None);
        let without = goal.distance(&prior.end(&bench.solution).unwrap());
        bench.planner.drop_warm_start();
        bench.goal = Some(goal.clone());
        let report = bench.plan(None);
        // Where the actions lead; LatCo's own states may still be relaxed.
        let end = goal.distance(&prior.end(&bench.solution).unwrap());
        assert!(end < 0.6 * without, "{kind}: {end} of {without}");
        let squares = end.powi(2) * sizes.goal as f32;
        assert!(
            (report.predicted_return + squares).abs() < 1e-2 * squares + 1e-4,
            "{kind}: valued {} at a squared distance of {squares}",
            report.predicted_return
        );
        let (solution, decisions) = (bench.solution.clone(), bench.planner.decisions().unwrap());
        bench.planner.reset(bench.config.planner.seed);
        bench.goal = None;
        bench.plan(None);
        bench.planner.drop_warm_start();
        bench.goal = Some(goal);
        bench.plan_again(decisions);
        assert_eq!(bench.solution, solution, "{kind}");
    }
}

#[test]
fn sampling_only_is_latco_before_its_first_iteration() {
    let plan = |kind, after| {
        let mut bench = Bench::new(|config| {
            config.planner.kind = kind;
            let latco = &mut config.planner.latco;
            (latco.starts, latco.sampled_starts) = (2, 1);
        });
        let decisions = Decisions {
            sampling_rounds: 3,
            out_of_time_after: after,
            ..Decisions::default()
        };
        let report = bench.plan_again(decisions);
        assert_eq!(report.iterations, 0);
        (bench.solution, report.best_start)
    };
    let latco = plan(PlannerKind::Latco, Some(0));
    assert_eq!(latco.1, StartKind::Sampled);
    assert_eq!(plan(PlannerKind::SamplingOnly, None), latco);
}
