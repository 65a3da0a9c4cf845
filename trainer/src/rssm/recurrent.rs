//! The recurrent state-space model: prior and posterior over z = [s, h].
//!
//! Hafner et al. 2019 (PlaNet); Eq. 2 of Rybkin et al. 2021.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::fused::{Activation, dense, gru_gates, softplus};
use super::layers::Mlp;
use super::params::{Leaves, Params};

/// Sizes of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Width of the stochastic part s.
    pub stoch: usize,
    /// Width of the deterministic part h.
    pub deter: usize,
    /// Width of the dense layers.
    pub hidden: usize,
    /// Width of the embedded observation (image code and normalised joints).
    pub embed: usize,
    /// Width of the action.
    pub action: usize,
    /// Added to every standard deviation of s.
    pub min_std: f32,
}

/// A belief over s for each row, with the deterministic state it belongs to.
#[derive(Clone)]
pub struct Belief {
    /// Mean of s, `[N, stoch]`.
    pub mean: Tensor<2>,
    /// Standard deviation of s, `[N, stoch]`.
    pub std: Tensor<2>,
    /// h, `[N, deter]`.
    pub deter: Tensor<2>,
}

impl Belief {
    /// z at the mean, `[N, stoch + deter]`.
    pub fn state(&self) -> Tensor<2> {
        Tensor::cat(vec![self.mean.clone(), self.deter.clone()], 1)
    }
}

/// Beliefs of a whole batch of sequences, rows in time-major order (`t * batch + b`).
pub struct Unrolled {
    /// Posterior, `[T * B, ..]`.
    pub posterior: Belief,
    /// Prior at the same steps, `[T * B, ..]`.
    pub prior: Belief,
    /// Samples of the posterior s, `[T * B, stoch]`.
    pub sample: Tensor<2>,
}

/// The recurrent core with the weights of one step.
pub struct Core {
    sizes: Sizes,
    input: (Tensor<2>, Tensor<2>),
    gru_input: (Tensor<2>, Tensor<2>),
    gru_state: (Tensor<2>, Tensor<2>),
    prior: Mlp,
    posterior: Mlp,
}

impl Core {
    /// Creates the parameters.
    pub fn create(params: &mut Params, sizes: &Sizes, rng: &mut ChaCha8Rng) {
        let Sizes {
            stoch,
            deter,
            hidden,
            embed,
            action,
            ..
        } = *sizes;
        params.add_dense("core.input", stoch + action, hidden, rng);
        params.add_dense("core.gru_input", hidden, 3 * deter, rng);
        params.add_dense("core.gru_state", deter, 3 * deter, rng);
        Mlp::create(params, "core.prior", &[deter, hidden, 2 * stoch], rng);
        Mlp::create(
            params,
            "core.posterior",
            &[deter + embed, hidden, 2 * stoch],
            rng,
        );
    }

    /// The core with these weights.
    pub fn new(leaves: &Leaves, sizes: Sizes) -> Self {
        let pair = |name: &str| {
            (
                leaves.get(&format!("{name}.w")),
                leaves.get(&format!("{name}.b")),
            )
        };
        Self {
            sizes,
            input: pair("core.input"),
            gru_input: pair("core.gru_input"),
            gru_state: pair("core.gru_state"),
            prior: Mlp::new(leaves, "core.prior", 2, Activation::Elu),
            posterior: Mlp::new(leaves, "core.posterior", 2, Activation::Elu),
        }
    }

    /// h' from s `[N, stoch]`, h `[N, deter]` and action `[N, action]`.
    pub fn advance(&self, stoch: Tensor<2>, deter: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        let x = Tensor::cat(vec![stoch, action], 1);
        let layer = |x, (w, b): &(Tensor<2>, Tensor<2>), activation| {
            dense(x, w.clone(), b.clone(), activation)
        };
        let x = layer(x, &self.input, Activation::Elu);
        let gx = layer(x, &self.gru_input, Activation::Linear);
        let gh = layer(deter.clone(), &self.gru_state, Activation::Linear);
        gru_gates(gx, gh, deter)
    }

    /// h' from z `[N, n]` and action `[N, action]`.
    pub fn advance_state(&self, state: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        let Sizes { stoch, deter, .. } = self.sizes;
        self.advance(
            state.clone().narrow(1, 0, stoch),
            state.narrow(1, stoch, deter),
            action,
        )
    }

    /// The prior over s given h', `[N, deter]`.
    pub fn prior(&self, deter: Tensor<2>) -> Belief {
        let raw = self.prior.forward(deter.clone());
        self.belief(raw, deter)
    }

    /// The posterior over s given h' `[N, deter]` and the embedded observation `[N, embed]`.
    pub fn posterior(&self, deter: Tensor<2>, embed: Tensor<2>) -> Belief {
        let raw = self
            .posterior
            .forward(Tensor::cat(vec![deter.clone(), embed], 1));
        self.belief(raw, deter)
    }

    fn belief(&self, raw: Tensor<2>, deter: Tensor<2>) -> Belief {
        let stoch = self.sizes.stoch;
        let mean = raw.clone().narrow(1, 0, stoch);
        let std = softplus(raw.narrow(1, stoch, stoch)).add_scalar(self.sizes.min_std);
        Belief { mean, std, deter }
    }

    /// One step of the prior mean, mu(z, a): `[N, n]`, `[N, action]` to `[N, n]`.
    pub fn mean_step(&self, state: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        self.prior(self.advance_state(state, action)).state()
    }

    /// Filters a batch of sequences that begin at a zero state.
    ///
    /// `embed` is `[T * B, embed]` and `previous_action` `[T * B, action]` in time-major order;
    /// row t of the latter is the action executed before observation t (zero at t = 0 of an
    /// episode). `noise` `[T * B, stoch]` draws the samples that are carried on.
    pub fn unroll(
        &self,
        embed: Tensor<2>,
        previous_action: Tensor<2>,
        noise: Tensor<2>,
        batch: usize,
    ) -> Unrolled {
        let steps = embed.dims()[0] / batch;
        let device = embed.device();
        let mut stoch = Tensor::zeros([batch, self.sizes.stoch], &device);
        let mut deter = Tensor::zeros([batch, self.sizes.deter], &device);
        let mut means = Vec::with_capacity(steps);
        let mut stds = Vec::with_capacity(steps);
        let mut deters = Vec::with_capacity(steps);
        let mut samples = Vec::with_capacity(steps);
        for t in 0..steps {
            let at = |x: &Tensor<2>| x.clone().narrow(0, t * batch, batch);
            deter = self.advance(stoch, deter, at(&previous_action));
            let belief = self.posterior(deter.clone(), at(&embed));
            stoch = belief.mean.clone() + belief.std.clone() * at(&noise);
            means.push(belief.mean);
            stds.push(belief.std);
            deters.push(deter.clone());
            samples.push(stoch.clone());
        }
        let deter = Tensor::cat(deters, 0);
        Unrolled {
            prior: self.prior(deter.clone()),
            posterior: Belief {
                mean: Tensor::cat(means, 0),
                std: Tensor::cat(stds, 0),
                deter,
            },
            sample: Tensor::cat(samples, 0),
        }
    }

    /// Rolls z `[N, n]` through the prior mean; `actions[k]` is `[N, action]`.
    /// Returns z after each action, each `[N, n]`.
    pub fn rollout(&self, state: Tensor<2>, actions: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let mut state = state;
        actions
            .iter()
            .map(|action| {
                state = self.mean_step(state.clone(), action.clone());
                state.clone()
            })
            .collect()
    }
}

/// KL(q || p) of diagonal Gaussians, summed over the width: `[N, 1]` nats.
pub fn kl_divergence(
    q_mean: Tensor<2>,
    q_std: Tensor<2>,
    p_mean: Tensor<2>,
    p_std: Tensor<2>,
) -> Tensor<2> {
    let ratio = q_std / p_std.clone();
    let distance = (q_mean - p_mean) / p_std;
    (distance.square() + ratio.clone().square() - ratio.log() * 2.0 - 1.0)
        .sum_dim(1)
        .mul_scalar(0.5)
}

/// KL(posterior || prior), mean over rows; rows below `free_nats` have no gradient.
///
/// A `balance` above 0 sends that share of the gradient to the prior and the rest to the
/// posterior; 0 is the plain divergence. Returns the loss and the divergence itself, both `[1]`.
pub fn balanced_kl(
    posterior: &Belief,
    prior: &Belief,
    balance: f32,
    free_nats: f32,
) -> (Tensor<1>, Tensor<1>) {
    let pair = |b: &Belief| (b.mean.clone(), b.std.clone());
    let fixed = |b: &Belief| (b.mean.clone().detach(), b.std.clone().detach());
    let kl =
        |q: (Tensor<2>, Tensor<2>), p: (Tensor<2>, Tensor<2>)| kl_divergence(q.0, q.1, p.0, p.1);
    if balance <= 0.0 {
        let plain = kl(pair(posterior), pair(prior));
        let measured = plain.clone().detach().mean();
        return (plain.clamp_min(free_nats).mean(), measured);
    }
    let to_prior = kl(fixed(posterior), pair(prior));
    let measured = to_prior.clone().detach().mean();
    let mut total = to_prior.clamp_min(free_nats).mul_scalar(balance);
    if balance < 1.0 {
        let to_posterior = kl(pair(posterior), fixed(prior));
        total = total + to_posterior.clamp_min(free_nats).mul_scalar(1.0 - balance);
    }
    (total.mean(), measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rssm::params::{tensor, to_vec};

    fn belief(mean: &[f32], std: &[f32]) -> Belief {
        let width = mean.len();
        Belief {
            mean: tensor(mean.to_vec(), [1, width]),
            std: tensor(std.to_vec(), [1, width]),
            deter: tensor(vec![0.0], [1, 1]),
        }
    }

    #[test]
    fn kl_has_the_closed_form_of_gaussians() {
        let (q, p) = (
            belief(&[1.0, -0.5], &[0.5, 2.0]),
            belief(&[0.0, 0.5], &[1.0, 0.8]),
        );
        let kl = to_vec(kl_divergence(q.mean.clone(), q.std, p.mean, p.std))[0];
        let one = |m: f64, s: f64, n: f64, t: f64| {
            (t / s).ln() + (s * s + (m - n).powi(2)) / (2.0 * t * t) - 0.5
        };
        let expected = one(1.0, 0.5, 0.0, 1.0) + one(-0.5, 2.0, 0.5, 0.8);
        assert!(
            (f64::from(kl) - expected).abs() < 1e-5,
            "{kl} instead of {expected}"
        );
        let same = to_vec(kl_divergence(
            q.mean.clone(),
            tensor(vec![1.0, 1.0], [1, 2]),
            q.mean,
            tensor(vec![1.0, 1.0], [1, 2]),
        ));
        assert!(same[0].abs() < 1e-6);
    }

    #[test]
    fn balancing_splits_the_gradient_and_free_nats_stop_it() {
        let gradient = |balance: f32, free: f32| {
            let mean = |x: f32| tensor::<2>(vec![x], [1, 1]).autodiff().require_grad();
            let (q, p) = (mean(1.0), mean(0.0));
            let side = |m: &Tensor<2>| Belief {
                mean: m.clone(),
                std: tensor::<2>(vec![1.0], [1, 1]).autodiff(),
                deter: tensor(vec![0.0], [1, 1]),
            };
            let (loss, measured) = balanced_kl(&side(&q), &side(&p), balance, free);
            assert!((measured.into_scalar::<f32>() - 0.5).abs() < 1e-6);
            let gradients = loss.backward();
            (
                to_vec(q.grad(&gradients).unwrap())[0],
                to_vec(p.grad(&gradients).unwrap())[0],
            )
        };
        let close =
            |a: (f32, f32), b: (f32, f32)| (a.0 - b.0).abs() < 1e-5 && (a.1 - b.1).abs() < 1e-5;
        assert!(close(gradient(0.8, 0.1), (0.2, -0.8)));
        assert!(close(gradient(0.0, 0.1), (1.0, -1.0)));
        assert!(close(gradient(0.8, 3.0), (0.0, 0.0)));
    }
}
