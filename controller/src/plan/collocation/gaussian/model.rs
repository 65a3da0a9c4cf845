//! The learned model of Gaussian plans: the solver plans the means, and what it asks of the model is
//! answered by samples (Rybkin et al. 2021, Algorithm 3).
//!
//! The plan's distribution is `q(z_t) = N(mu_t, diag(sigma_t^2))` over the whole state, stochastic and
//! deterministic part: the transition of the deterministic part adds no noise of its own, but its
//! samples differ as those of the state before it do. At every evaluation
//!
//! ```text
//! z_t^k = mu_t + sigma_t e_t^k                       k = 1..K
//! mean[p(z_{t+1})] = mean_k m(z_t^k, a_t)            what mu_{t+1} is held to
//! var[p(z_{t+1})]  = var_k m(z_t^k, a_t) + mean_k s(z_t^k, a_t)^2
//! E[r(z_t)]        = mean_k r(z_t^k), or the reward of mean_k cost(r(z_t^k)): see [`moments::equivalent`]
//! ```
//!
//! with the prior's mean `m` and deviation `s`. No gradient goes through `sigma` (appendix C): it is
//! set to the predicted deviation of the last evaluation, one step of a fixed-point iteration beside
//! each step of the means. `z_0` is known, `sigma_0 = 0`.
//!
//! The Jacobian of the mean is that of a prior step with its gate factors averaged over the samples:
//! exact where the prior is linear, and for the recurrent part of the GRU, which is linear in the factors;
//! elsewhere it leaves out how the factors of successive layers vary together. It costs what the
//! Jacobian of one sample costs; the constraint itself is exact, so that only the way there differs.

use latco_models::{Bundle, Dynamics, Reward, RewardHead, RunError};
use latco_solver::{Crew, Predictions, Shape, Trajectories};

use super::super::super::graphs::{Linearisation, run_both};
use super::super::super::model::{Learned, Predictor};
use super::moments;
use crate::config::Objective;
use crate::error::SetupError;

/// The deviations of `N` plans, and how far they are from what the model says of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deviations {
    /// Deviations `sigma_0..sigma_H`, `[N, H + 1, n]`; row 0 of each is 0.
    pub(super) values: Vec<f32>,
    /// Violations `|sigma_{t+1} - stddev[p(z_{t+1})]|^2` at the last evaluation, `[N, H]`.
    pub(super) violations: Vec<f32>,
}

/// The model of the means of Gaussian plans.
pub(super) type GaussianModel = Learned<Samples>;

/// The two graphs at samples of all states of all plans.
pub struct Samples {
    shape: Shape,
    samples: usize,
    dynamics: Dynamics,
    reward: Reward,
    /// Samples of the states to step from, `[N, H, K, n]`: an input of a graph cannot be read again.
    states: Vec<f32>,
    head: RewardHead,
    objective: Objective,
    /// Averages over the samples: gate factors `[N, H, factors]`, or Jacobians `[N, H, n, n]` and
    /// `[N, H, n, na]`; empty where the model gives the others.
    factors: Vec<f32>,
    jacobian_state: Vec<f32>,
    jacobian_action: Vec<f32>,
    /// Samples `e_1..e_H`, which all plans share, `[H, K, n]`.
    noise: Vec<f32>,
    pub(super) deviations: Deviations,
    /// Predicted deviation of a state, `[n]`.
    predicted: Vec<f32>,
    /// Weights of the rewards of the samples, `[K]`.
    weights: Vec<f32>,
}

impl Samples {
    /// Makes a model of `shape.plans` plans with `samples` states a step; all memory is allocated here.
    ///
    /// # Errors
    /// ONNX Runtime's or the solver's reason.
    pub(super) fn model(
        bundle: &Bundle,
        shape: Shape,
        samples: usize,
        objective: Objective,
    ) -> Result<GaussianModel, SetupError> {
        let dims = shape.dims;
        let (h, n, all) = (dims.horizon, dims.state(), shape.plans * dims.horizon);
        let rows = all * samples;
        let dynamics = bundle.dynamics(rows)?;
        let (factors, state, action) = match Linearisation::of(&dynamics) {
            Linearisation::Factors(rows) => (rows.len() / samples, 0, 0),
            Linearisation::Dense(state, action) => (0, state.len(), action.len()),
        };
        let predictor = Self {
            shape,
            samples,
            dynamics,
            reward: bundle.reward(rows)?,
            states: vec![0.0; rows * n],
            head: bundle.manifest().reward,
            objective,
            factors: vec![0.0; factors],
            jacobian_state: vec![0.0; state / samples],
            jacobian_action: vec![0.0; action / samples],
            noise: vec![0.0; h * samples * n],
            deviations: Deviations {
                values: vec![0.0; shape.plans * (h + 1) * n],
                violations: vec![0.0; all],
            },
            predicted: vec![0.0; n],
            weights: vec![0.0; samples],
        };
        Learned::with(bundle, shape, predictor)
    }

    /// The samples of the unit Gaussian that the states are made of, `[H, K, n]`: see [`moments::draw`].
    pub(super) fn noise_mut(&mut self) -> &mut [f32] {
        &mut self.noise
    }

    /// The largest squared violation of the deviations of plan `b` over the steps, at the last evaluation.
    pub(super) fn violation(&self, b: usize) -> f32 {
        let h = self.shape.dims.horizon;
        let violations = &self.deviations.violations[b * h..][..h];
        violations
            .iter()
            .fold(0.0, |largest: f32, v| largest.max(*v))
    }

    /// The deviations of plan `b`, `[H + 1, n]`.
    pub(super) fn deviations_mut(&mut self, b: usize) -> &mut [f32] {
        let len = self.shape.dims.states_len();
        &mut self.deviations.values[b * len..][..len]
    }

    /// Writes samples of all states into the rows of the one-step model.
    fn draw_states(&mut self, plans: &Trajectories<'_, f32>) {
        let dims = self.shape.dims;
        let (h, n, na) = (dims.horizon, dims.state(), dims.action);
        let block = self.samples * n;
        for (index, rows) in self.states.chunks_exact_mut(block).enumerate() {
            let (b, t) = (index / h, index % h);
            let at = (b * (h + 1) + t) * n;
            let mean = &plans.states[at..][..n];
            if t == 0 {
                rows.chunks_exact_mut(n)
                    .for_each(|row| row.copy_from_slice(mean));
            } else {
                let deviation = &self.deviations.values[at..][..n];
                let noise = &self.noise[(t - 1) * block..][..block];
                moments::sample(mean, deviation, noise, rows);
            }
        }
        // the same samples of z_1..z_{H-1} are valued; those of z_H are only valued
        for b in 0..self.shape.plans {
            let of_plan = b * h * block..(b + 1) * h * block;
            let now = &self.states[of_plan.clone()];
            let next = &mut self.reward.state_mut()[of_plan];
            let (inner, last) = next.split_at_mut((h - 1) * block);
            inner.copy_from_slice(&now[block..]);
            let at = (b * (h + 1) + h) * n;
            let noise = &self.noise[(h - 1) * block..];
            let deviation = &self.deviations.values[at..][..n];
            moments::sample(&plans.states[at..][..n], deviation, noise, last);
        }
        self.dynamics.state_mut().copy_from_slice(&self.states);
        let actions = self
            .dynamics
            .action_mut()
            .chunks_exact_mut(self.samples * na);
        for (rows, action) in actions.zip(plans.actions.chunks_exact(na)) {
            rows.chunks_exact_mut(na)
                .for_each(|row| row.copy_from_slice(action));
        }
    }

    fn average_linearisation(&mut self) {
        let average = |rows: &[f32], out: &mut [f32], blocks: usize| {
            let (of_block, width) = (rows.len() / blocks, out.len() / blocks);
            for (rows, out) in rows.chunks_exact(of_block).zip(out.chunks_exact_mut(width)) {
                moments::mean(rows, out);
            }
        };
        let blocks = self.shape.plans * self.shape.dims.horizon;
        match Linearisation::of(&self.dynamics) {
            Linearisation::Factors(rows) => average(rows, &mut self.factors, blocks),
            Linearisation::Dense(state, action) => {
                average(state, &mut self.jacobian_state, blocks);
                average(action, &mut self.jacobian_action, blocks);
            }
        }
    }
}

impl Predictor for Samples {
    fn evaluate<C: Crew>(
        &mut self,
        crew: &mut C,
        plans: &Trajectories<'_, f32>,
        predictions: &mut Predictions<'_, f32>,
    ) -> Result<(), RunError> {
        let dims = self.shape.dims;
        let (h, n) = (dims.horizon, dims.state());
        let (block, ns) = (self.samples * n, dims.stoch);
        self.draw_states(plans);
        run_both(crew, &mut self.dynamics, &mut self.reward)?;
        self.average_linearisation();

        for index in 0..self.shape.plans * h {
            let (b, t) = (index / h, index % h);
            let mean = &mut predictions.means[index * n..][..n];
            let means = &self.dynamics.mean()[index * block..][..block];
            moments::mean(means, mean);
            let own = &self.dynamics.std()[index * self.samples * ns..][..self.samples * ns];
            moments::deviation(means, mean, own, &mut self.predicted);

            let deviation = &mut self.deviations.values[(b * (h + 1) + t + 1) * n..][..n];
            let mut violation = 0.0;
            for (deviation, predicted) in deviation.iter_mut().zip(&self.predicted) {
                violation += (predicted - *deviation) * (predicted - *deviation);
                // what is not finite shows in the means, and must not stay here
                *deviation = if predicted.is_finite() {
                    *predicted
                } else {
                    0.0
                };
            }
            self.deviations.violations[index] = violation;

            let outputs = &self.reward.reward()[index * self.samples..][..self.samples];
            predictions.rewards[index] =
                moments::equivalent(&self.head, self.objective, outputs, &mut self.weights);
            let gradient = &mut predictions.gradients[index * n..][..n];
            gradient.fill(0.0);
            let gradients = &self.reward.gradient()[index * block..][..block];
            for (row, weight) in gradients.chunks_exact(n).zip(&self.weights) {
                for (sum, slope) in gradient.iter_mut().zip(row) {
                    *sum += weight * slope;
                }
            }
        }
        Ok(())
    }

    /// The averages: gate factors, or Jacobians where there are none.
    fn linearisation(&self) -> Linearisation<'_> {
        if self.factors.is_empty() {
            Linearisation::Dense(&self.jacobian_state, &self.jacobian_action)
        } else {
            Linearisation::Factors(&self.factors)
        }
    }
}

#[cfg(test)]
mod tests {
    use latco_export::{RandomSpec, golden, random_weights, write_bundle};
    use latco_solver::{Alone, Dims, Model, Multipliers, Plan, Reduced, Settings, Solver};

    use super::super::super::super::model::OnnxModel;
    use super::super::super::super::noise::Noise;
    use super::*;

    const SAMPLES: usize = 50;
    /// Iterates from noise; gives states, actions and the solver's rewards.
    fn iterate<M: Model<f32>>(
        model: &mut M,
        shape: Shape,
        anchor: &[f32],
        iterations: u32,
        settings: Settings,
    ) -> [Vec<f32>; 3] {
        let arena = vec![0.0; Solver::<f32, Reduced, Vec<f32>>::len(&shape)];
        let mut solver = Solver::<f32, Reduced, _>::new_in(shape, settings, arena).unwrap();
        let dims = shape.dims;
        let mut states = vec![0.0; dims.states_len()];
        let mut actions = vec![0.0; dims.actions_len()];
        let mut noise = Noise::new(5);
        noise.fill(&mut states);
        noise.fill(&mut actions);
        let (mut lambda, mut nu) = (vec![1.0; dims.horizon], vec![1.0; dims.horizon]);
        for _ in 0..iterations {
            let mut plan = Plan {
                anchor,
                states: &mut states,
                actions: &mut actions,
                inequalities: None,
                goal: None,
            };
            let mut multipliers = Multipliers {
                dynamics: &mut lambda,
                actions: &mut nu,
            };
            let stepped = solver.step(model, &mut Alone, &mut plan, &mut multipliers);
            assert!(stepped.is_ok());
        }
        let rewards = solver.rewards(0).to_vec();
        [states, actions, rewards]
    }

    /// A bundle of random weights, whose prior is certain or not.
    fn random_bundle(deter: usize, is_certain: bool) -> (tempfile::TempDir, Bundle, Shape) {
        let folder = tempfile::tempdir().unwrap();
        let spec = RandomSpec {
            image: 32,
            stoch: 4,
            deter,
            hidden: 16,
            horizon: 6,
            ..RandomSpec::keypoint()
        };
        let (mut weights, metadata) = random_weights(&spec, 5);
        if is_certain {
            weights.step.prior_std.bias.fill(-100.0);
            weights.step.min_std = 0.0;
        }
        let vectors = golden::from_reference(&weights, &metadata, 4, 2).unwrap();
        write_bundle(folder.path(), &weights, &metadata, &vectors).unwrap();
        let bundle = Bundle::load(folder.path(), &Default::default()).unwrap();
        let of = &bundle.manifest().dims;
        let shape = Shape::of(Dims {
            stoch: of.stoch,
            deter: of.deter,
            action: of.action,
            horizon: of.horizon,
        });
        (folder, bundle, shape)
    }

    fn gaussian(bundle: &Bundle, shape: Shape) -> GaussianModel {
        let objective = Objective::ExpectedCost;
        let mut model = Samples::model(bundle, shape, SAMPLES, objective).unwrap();
        let noise = model.predictor_mut().noise_mut();
        moments::draw(&mut Noise::new(2), SAMPLES, shape.dims.state(), noise);
        model
    }

    #[test]
    fn without_deviation_it_is_latco() {
        for deter in [12, 0] {
            let (_folder, bundle, shape) = random_bundle(deter, true);
            let anchor = vec![0.1; shape.dims.state()];
            let mut exact = OnnxModel::new(&bundle, shape).unwrap();
            let mut sampled = gaussian(&bundle, shape);
            let expected = iterate(&mut exact, shape, &anchor, 12, Settings::default());
            let found = iterate(&mut sampled, shape, &anchor, 12, Settings::default());
            for (expected, found) in expected.iter().zip(&found) {
                for (e, f) in expected.iter().zip(found) {
                    assert!(
                        (e - f).abs() < 1e-3 * (1.0 + e.abs()),
                        "deter {deter}: {e} {f}"
                    );
                }
            }
        }
    }

    /// The averaged factors against the mean of the samples' Jacobians, by differences of the sampled mean.
    #[test]
    fn the_jacobian_is_nearly_that_of_the_sampled_mean() {
        for (deter, most) in [(12, 0.1), (0, 0.01)] {
            let (_folder, bundle, shape) = random_bundle(deter, false);
            let dims = shape.dims;
            let (h, n, na) = (dims.horizon, dims.state(), dims.action);
            let mut model = gaussian(&bundle, shape);
            let mut states = vec![0.0; dims.states_len()];
            let mut actions = vec![0.0; dims.actions_len()];
            let mut noise = Noise::new(9);
            noise.fill(&mut states);
            noise.fill(&mut actions);
            let means = |model: &mut GaussianModel, states: &[f32], actions: &[f32]| {
                model.predictor_mut().deviations_mut(0)[n..].fill(0.5);
                let (mut means, mut rewards, mut gradients) =
                    (vec![0.0; h * n], vec![0.0; h], vec![0.0; h * n]);
                let mut predictions = Predictions {
                    means: &mut means,
                    rewards: &mut rewards,
                    gradients: &mut gradients,
                };
                let plans = Trajectories { states, actions };
                model
                    .evaluate(&mut Alone, &plans, &mut predictions)
                    .unwrap();
                (means, rewards, gradients)
            };
            let t = 2;
            let (mut error, mut size) = (0.0f64, 0.0f64);
            for column in 0..n + na {
                let (mut dz, mut da) = (vec![0.0; states.len()], vec![0.0; actions.len()]);
                if column < n {
                    dz[t * n + column] = 1.0;
                } else {
                    da[t * na + column - n] = 1.0;
                }
                let moved = |values: &[f32], change: &[f32], by: f32| -> Vec<f32> {
                    values.iter().zip(change).map(|(v, c)| v + by * c).collect()
                };
                let (above, _, _) = means(
                    &mut model,
                    &moved(&states, &dz, 1e-2),
                    &moved(&actions, &da, 1e-2),
                );
                let (below, _, _) = means(
                    &mut model,
                    &moved(&states, &dz, -1e-2),
                    &moved(&actions, &da, -1e-2),
                );
                means(&mut model, &states, &actions);
                let mut found = vec![0.0; n];
                model.product(&mut Alone, t, &dz, &da, &mut found);
                for i in 0..n {
                    let expected = f64::from(above[t * n + i] - below[t * n + i]) / 2e-2;
                    error += (f64::from(found[i]) - expected).powi(2);
                    size += expected.powi(2);
                }
            }
            let relative = (error / size).sqrt();
            assert!(relative < most, "deter {deter}: {relative}");

            // and the gradient of the expected reward is exact
            let (_, rewards, gradients) = means(&mut model, &states, &actions);
            let mut moved = states.clone();
            moved[3 * n + 1] += 1e-2;
            let (_, above, _) = means(&mut model, &moved, &actions);
            let slope = (above[2] - rewards[2]) / 1e-2;
            let found = gradients[2 * n + 1];
            assert!(
                (slope - found).abs() < 0.02 * (0.1 + found.abs()),
                "{slope} {found}"
            );
        }
    }
}
