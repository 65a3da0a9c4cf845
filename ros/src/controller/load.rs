//! The slow part of `configure`, on a thread of its own: read and verify the bundle, make and warm every session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use crossbeam::channel::{Receiver, bounded};
use latco_controller::config::SurpriseAction;
use latco_controller::{Config, Controller, Decorator, Rehearsal};
use latco_models::{Bundle, Decode};

use super::imagined;
use crate::goal::GoalPictures;

/// The parts that a configured controller is made from.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) bundle: Bundle,
    pub(super) controller: Controller,
    /// Session that decodes states for `~/imagined/image`.
    pub(super) decode: Option<Decode>,
    pub(super) decorator: Option<Arc<dyn Decorator>>,
    /// What makes beliefs of goal pictures, where the configuration takes some.
    pub(super) goals: Option<GoalPictures>,
}

/// A load that is under way.
pub(super) struct Loading {
    pub(super) done: Receiver<anyhow::Result<Loaded>>,
    given_up: Arc<AtomicBool>,
}

impl Loading {
    /// Starts the thread that loads.
    ///
    /// # Errors
    /// The system's error when it gives no thread.
    pub(super) fn start(
        config: Config,
        imagined: bool,
        decorator: Option<Arc<dyn Decorator>>,
    ) -> std::io::Result<Self> {
        let given_up = Arc::new(AtomicBool::new(false));
        let (sender, done) = bounded(1);
        let abandoned = given_up.clone();
        std::thread::Builder::new()
            .name("loader".into())
            .spawn(move || {
                let _ = sender.send(load(config, imagined, decorator, &abandoned));
            })?;
        Ok(Self { done, given_up })
    }

    /// Tells the load that its result is no longer wanted: it ends after the step that it is in.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }
}

fn load(
    config: Config,
    imagined: bool,
    decorator: Option<Arc<dyn Decorator>>,
    given_up: &Arc<AtomicBool>,
) -> anyhow::Result<Loaded> {
    let began = Instant::now();
    let go_on = || {
        anyhow::ensure!(
            !given_up.load(Ordering::SeqCst),
            "stopped while it was loading"
        );
        Ok(())
    };
    let mut options = config.bundle.load_options();
    options.limit.given_up = given_up.clone();
    let bundle = Bundle::load(&config.bundle.path, &options)?;
    for shortcoming in latco_models::gates::shortcomings(bundle.manifest()) {
        tracing::warn!("{}: {shortcoming}", config.bundle.path);
    }
    let surprise = bundle.manifest().surprise.as_ref();
    if let Some(shortcoming) = latco_models::surprise::shortcoming(surprise) {
        tracing::warn!("{}: {shortcoming}", config.bundle.path);
    } else if config.control.surprise == SurpriseAction::Warn {
        tracing::warn!(
            "control.surprise = \"warn\": a scene that the model does not know does not stop the robot"
        );
    }
    go_on()?;
    if let Some(rehearsal) = Rehearsal::of_stand_in(&config, &bundle)? {
        tracing::warn!(
            provider = %rehearsal.provider,
            plan_ms = rehearsal.median_ms,
            allowed_ms = rehearsal.allowed_ms,
            "stands in for the preferred providers, fast enough"
        );
    }
    go_on()?;
    let mut controller = Controller::decorated(&config, &bundle, |parts| match &decorator {
        Some(decorator) => decorator.parts(parts),
        None => parts,
    })?;
    go_on()?;
    let takes_goals = config.goal.weight > 0.0;
    let mut goals = (takes_goals.then(|| GoalPictures::new(&bundle))).transpose()?;
    if let (Some(goals), Some(file)) = (&mut goals, &config.goal.image) {
        let goal = goals
            .belief_of_file(file.as_ref(), None)
            .context("goal.image")?;
        tracing::info!(picture = %file, joints = ?goal.positions, "the goal");
        controller.set_goal(Some(&goal.belief));
    }
    go_on()?;
    let decode = imagined.then(|| imagined::decoder(&bundle)).transpose()?;
    tracing::info!(
        bundle = %config.bundle.path,
        provider = %bundle.provider(),
        planner = controller.planner_name(),
        seconds = began.elapsed().as_secs_f64(),
        "loaded and warm"
    );
    Ok(Loaded {
        config,
        bundle,
        controller,
        decode,
        decorator,
        goals,
    })
}
