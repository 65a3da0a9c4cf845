//! The work of the transitions.

use std::time::Instant;

use latco_controller::safety::{LONGEST_STOP, STOP_MARGIN};

use super::configured::Configured;
use super::load::{Loaded, Loading};
use super::manager::{Auto, Manager};
use super::options::ControllerFault;
use super::parameters::Parameters;
use super::trace::PlanFigures;
use crate::error_text::whole_message;
use crate::managed::lifecycle::{Change, Outcome, State};

impl Manager<'_> {
    /// Begins a transition of the node's own.
    pub(super) fn begin(&mut self, label: &str) {
        if let Some(change) = self.lifecycle.begin(label) {
            self.carry_out(change);
        }
    }

    /// Ends the node, because the process was told to end.
    pub(super) fn stop(&mut self) {
        self.auto = Auto::Nothing;
        self.stopping = true;
        if let Some(loading) = &self.loading {
            loading.give_up();
        }
        self.begin("shutdown");
    }

    /// Does the work of a transition, or begins it.
    pub(super) fn carry_out(&mut self, change: Change) {
        let goal = change.edge.goal;
        self.change = Some(change);
        match goal {
            State::Configuring => {
                self.failure.clear();
                let parameters = self.ends.parameters.now();
                let config = parameters.config().clone();
                self.configured_with = Some(parameters);
                let decorator = self.options.decorator.clone();
                match Loading::start(config, self.options.imagined, decorator) {
                    Ok(loading) => self.loading = Some(loading),
                    Err(error) => self.fail(error.into()),
                }
            }
            State::Activating => self.activate(),
            State::Deactivating => {
                if let Some(configured) = &self.configured {
                    configured.set_active(false);
                }
                self.rest_by = Some(Instant::now() + LONGEST_STOP + STOP_MARGIN);
            }
            State::CleaningUp => {
                self.release();
                self.finish(Outcome::Success);
            }
            State::ShuttingDown => {
                let began = Instant::now();
                if let Some(configured) = &mut self.configured {
                    configured.stop(&mut self.summary);
                    tracing::info!(
                        ms = began.elapsed().as_secs_f64() * 1e3,
                        "the robot is at rest"
                    );
                }
                self.finish(Outcome::Success);
            }
            _ => {}
        }
    }

    /// Goes on with `configure` when the loader is done.
    pub(super) fn configure(&mut self, loaded: anyhow::Result<Loaded>) {
        let Some(node) = &mut self.node else { return };
        let keep_states = self.options.trace.is_some();
        self.before = self.summary.clone();
        let sim_time = self
            .configured_with
            .as_ref()
            .is_some_and(Parameters::use_sim_time);
        let estop = self.ends.estop.latch();
        let start =
            |loaded| Configured::start(node, loaded, &self.counters, estop, sim_time, keep_states);
        match loaded.and_then(start) {
            Ok(configured) => {
                self.summary.planner = configured.trace().planner.clone();
                self.summary.provider = configured.bundle().provider().to_string();
                self.summary.providers_declined = configured.bundle().declined().to_vec();
                self.configured = Some(configured);
                // They may have changed while it was loading.
                self.set_live();
                self.finish(Outcome::Success);
                self.activate_by_itself();
            }
            Err(_) if self.stopping => self.finish(Outcome::Failure),
            Err(error) => self.fail(error),
        }
    }

    pub(super) fn set_live(&mut self) {
        if let Some(configured) = &mut self.configured {
            configured.set_live(self.ends.parameters.now().config());
        }
    }

    pub(super) fn activate(&mut self) {
        if self.ends.estop.latch().is_latched() {
            self.failure =
                "not activated: the emergency stop is latched, call ~/reset first".into();
            tracing::warn!("{}", self.failure);
            return self.finish(Outcome::Failure);
        }
        if let Some(configured) = &self.configured {
            self.failure.clear();
            self.ends.estop.set_active(true);
            configured.set_active(true);
            self.auto = Auto::Nothing;
            tracing::info!("waiting for images");
            self.finish(Outcome::Success);
        }
    }

    pub(super) fn activate_by_itself(&mut self) {
        if self.auto == Auto::Activate && self.lifecycle.state() == State::Inactive {
            self.begin("activate");
        }
    }

    /// Ends the transition that is under way.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        let change = self.leave(outcome);
        Self::answer(change, outcome == Outcome::Success);
        self.publish_status(None);
    }

    /// Leaves the state of the transition that is under way, which is not answered yet.
    fn leave(&mut self, outcome: Outcome) -> Option<Change> {
        self.lifecycle.finish(outcome);
        self.rest_by = None;
        self.change.take()
    }

    fn answer(change: Option<Change>, success: bool) {
        if let Some(answer) = change.and_then(|change| change.answer) {
            // Nobody waits for it when the client is gone.
            let _ = answer.send(success);
        }
    }

    /// Ends the transition that is under way with an error: everything is freed, and the node is unconfigured
    /// again. With `auto` it ends, because nobody would configure it again. The request is answered from the
    /// state that the error leads to, as by rclcpp.
    pub(super) fn fail(&mut self, error: anyhow::Error) {
        let label = self.change.as_ref().map_or("transition", |c| c.edge.label);
        let message = whole_message(&error);
        self.failure = format!("{label} failed: {message}");
        tracing::error!("{}", self.failure);
        let change = self.leave(Outcome::Error);
        self.process_error(error);
        Self::answer(change, false);
    }

    /// Reacts to a fault in a primary state.
    pub(super) fn fault(&mut self, fault: ControllerFault) {
        self.failure = fault.to_string();
        tracing::error!("{fault}");
        let change = if self.change.is_some() {
            self.loading = None;
            self.leave(Outcome::Error)
        } else if self.lifecycle.fault() {
            None
        } else {
            // Nothing is loaded; only the process is left to end.
            self.ending = Some(fault.into());
            return self.begin("shutdown");
        };
        self.process_error(fault.into());
        Self::answer(change, false);
    }

    /// Does the work of errorprocessing.
    pub(super) fn process_error(&mut self, error: anyhow::Error) {
        self.release();
        let is_broken = matches!(
            error.downcast_ref(),
            Some(
                ControllerFault::MiddlewareDied
                    | ControllerFault::Panicked
                    | ControllerFault::NewNetwork { .. }
            )
        );
        if self.options.auto || is_broken {
            self.ending = Some(error);
            self.lifecycle.finish(Outcome::Failure);
        } else {
            self.lifecycle.finish(Outcome::Success);
        }
        self.publish_status(None);
    }

    pub(super) fn release(&mut self) {
        let Some(mut configured) = self.configured.take() else {
            return;
        };
        self.configured_with = None;
        configured.count(&self.before, &mut self.summary);
        configured.stop(&mut self.summary);
        self.close(configured);
    }

    /// Takes figures and trace of the work, then frees its topics and the bundle.
    pub(super) fn close(&mut self, mut configured: Configured) {
        configured.count(&self.before, &mut self.summary);
        self.summary.figures = PlanFigures::new(configured.trace());
        if let Some(file) = &self.options.trace
            && let Err(error) = configured.trace().write(file)
        {
            tracing::error!("{error:#}");
            self.ending.get_or_insert(error);
        }
        if let (Some(node), Some(group)) = (&mut self.node, configured.take_group()) {
            node.remove(group);
        }
    }
}
