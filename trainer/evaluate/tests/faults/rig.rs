//! A simulated arm on its way to a goal, a fault in the middle of it, and what was commanded.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use latco_controller::execute::{Mode, SetPoint, StopReason};
use latco_controller::plan::StopCause;
use latco_controller::safety::peaks::Peaks;
use latco_controller::time::FrozenClock;
use latco_controller::{Clock, Config, Time};
use latco_envs::Robot;
use latco_evaluate::FaultyLoop;
use latco_faults::Faults;
use latco_models::Bundle;
use latco_testkit::paths::workspace;

/// Time at which the faults begin, s: the arm moves fast then.
pub(crate) const FAULT_S: f64 = 0.6;
/// An episode in which the arm has far to go.
const SEED: u64 = latco_envs::EVALUATION_SEED + 5;

/// The configuration of the shipped arm, with limits that take a while to brake and ages that are short.
pub(crate) fn config() -> Config {
    let file = workspace().join("configs/reach.toml");
    let mut config = Config::load(&file).unwrap();
    config.bundle.path = workspace()
        .join("models/bundles/reach")
        .display()
        .to_string();
    config.robot.max_acceleration_rad_s2 = vec![2.0; 3];
    config.planner.budget_ms = None;
    config.timeouts.camera_ms = 300.0;
    config.timeouts.joints_ms = 200.0;
    config
}

pub(crate) fn bundle() -> MutexGuard<'static, Bundle> {
    static BUNDLE: OnceLock<Mutex<Bundle>> = OnceLock::new();
    let bundle = BUNDLE.get_or_init(|| {
        let config = config();
        Mutex::new(Bundle::load(&config.bundle.path, &config.bundle.load_options()).unwrap())
    });
    bundle.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Rig {
    pub(crate) faulty: FaultyLoop,
    pub(crate) robot: Box<dyn Robot>,
    pub(crate) points: Vec<SetPoint>,
    /// The cause of each plan's end.
    pub(crate) plans: Vec<StopCause>,
    peaks: Peaks,
}

impl Rig {
    /// A run with these faults.
    pub(crate) fn new(faults: &str) -> Self {
        Self::with(faults, |_| ())
    }

    pub(crate) fn with(faults: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        let faults: Faults = faults.parse().unwrap();
        let bundle = bundle();
        let mut faulty = FaultyLoop::new(&config, &bundle, &faults).unwrap();
        let mut robot = latco_envs::make("reach", bundle.manifest().image.width).unwrap();
        robot.reset(SEED);
        faulty.begin(SEED);
        Self {
            faulty,
            peaks: Peaks::new(robot.joints()),
            robot,
            points: Vec::new(),
            plans: Vec::new(),
        }
    }

    /// Runs for so many seconds.
    pub(crate) fn run(&mut self, seconds: f64) {
        self.run_by(seconds, &FrozenClock(Time(0)));
    }

    pub(crate) fn run_by(&mut self, seconds: f64, clock: &dyn Clock) {
        let end = self.faulty.now() + latco_controller::time::span(seconds);
        while self.faulty.now() < end {
            let tick = self.faulty.tick(self.robot.as_mut(), clock);
            let plan = tick.step.and_then(|step| step.plan);
            self.plans.extend(plan.map(|plan| plan.stop));
            self.peaks.note(tick.point.time, &tick.point.velocities);
            self.points.push(tick.point);
        }
    }

    /// The highest speed that was commanded from `from_s` to `to_s`, rad/s.
    pub(crate) fn fastest(&self, from_s: f64, to_s: f64) -> f64 {
        let within = |p: &&SetPoint| {
            let at_s = p.time.0 as f64 * 1e-9;
            (from_s..to_s).contains(&at_s)
        };
        let speeds = self
            .points
            .iter()
            .filter(within)
            .flat_map(|p| &p.velocities);
        speeds.fold(0.0, |most, v| v.abs().max(most))
    }

    /// Whether the robot is stopped for this reason at any time.
    pub(crate) fn stopped_for(&self, reason: StopReason) -> bool {
        self.points.iter().any(|p| p.mode == Mode::Stop(reason))
    }

    pub(crate) fn last(&self) -> &SetPoint {
        self.points.last().unwrap()
    }

    pub(crate) fn follows(&self) -> bool {
        matches!(self.last().mode, Mode::Follow { .. })
    }

    /// Share of the set-points from `from_s` on that follow a plan.
    pub(crate) fn followed_share(&self, from_s: f64) -> f64 {
        let later = self
            .points
            .iter()
            .filter(|p| p.time >= Time::from_seconds(from_s));
        let (followed, all) = later.fold((0, 0), |(followed, all), p| {
            let is_followed = matches!(p.mode, Mode::Follow { .. });
            (followed + u32::from(is_followed), all + 1)
        });
        f64::from(followed) / f64::from(all.max(1))
    }

    /// Time from the faults' beginning to the first set-point at rest with a reason to stop, s.
    pub(crate) fn rest_s(&self) -> Option<f64> {
        let rests = |p: &&SetPoint| {
            p.time >= Time::from_seconds(FAULT_S)
                && matches!(p.mode, Mode::Stop(_))
                && p.velocities.iter().all(|&v| v == 0.0)
        };
        let first = self.points.iter().find(rests)?;
        Some(first.time.seconds_since(Time::from_seconds(FAULT_S)))
    }

    /// Checks what was commanded: everything finite, and velocity, acceleration and jerk within their limits. Prints the
    /// figures.
    pub(crate) fn check(&self, row: &str) {
        let all_finite = |p: &SetPoint| {
            p.velocities
                .iter()
                .chain(&p.positions)
                .all(|v| v.is_finite())
        };
        assert!(self.points.iter().all(all_finite), "{row}");
        let shares = self.peaks.shares(self.faulty.controller().robot().limits());
        let rest = self
            .rest_s()
            .map_or("moves on".to_owned(), |s| format!("{s:.2} s"));
        eprintln!(
            "{row}: {:.3} of the velocity, {:.3} of the acceleration, {:.3} of the jerk that is allowed; rest {rest}",
            shares[0], shares[1], shares[2]
        );
        for share in shares {
            assert!(share <= 1.0 + 1e-6, "{row}: {shares:?} of the limits");
        }
        assert!(self.fastest(0.0, FAULT_S) > 0.2, "{row}: it moved before");
    }

    /// Checks also that the robot came to rest within `most_s`, and stays there.
    pub(crate) fn check_rest(&self, row: &str, most_s: f64) {
        self.check(row);
        let rest_s = self.rest_s();
        assert!(
            rest_s.is_some_and(|s| s <= most_s),
            "{row}: rest {rest_s:?}"
        );
        assert_eq!(
            self.fastest(FAULT_S + most_s, f64::INFINITY),
            0.0,
            "{row}: at rest"
        );
    }
}

/// One fault that begins at [`FAULT_S`].
pub(crate) fn fault(kind: &str, rest: &str) -> String {
    format!("[[fault]]\nkind = \"{kind}\"\nfrom_s = {FAULT_S}\n{rest}\n")
}
