//! The recurrent state-space model: prior and posterior over z = [s, h].
//!
//! Hafner et al. 2019 (PlaNet); Eq. 2 of Rybkin et al. 2021. Without a deterministic part h it is
//! their SSM: z = s, and x = elu([s, a] W + b) takes the place of h' in prior and posterior, but
//! is not carried on.

use burn::tensor::Tensor;
use chacha20::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::fused::{gru_gates, softplus};
use super::layers::Dense;
use super::params::{Leaves, Params};

/// Sizes of the recurrent core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Width of the stochastic part s.
    pub stoch: usize,
    /// Width of the deterministic part h; 0 for none.
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

impl Sizes {
    /// Width n of z.
    pub fn state(&self) -> usize {
        self.stoch + self.deter
    }

    /// h of z `[N, n]`, `[N, deter]`.
    pub fn deter_of(&self, state: Tensor<2>) -> Tensor<2> {
        state.narrow(1, self.stoch, self.deter)
    }

    /// Width of what prior and posterior start from: h', or x where there is no h.
    pub fn feature(&self) -> usize {
        if self.deter > 0 {
            self.deter
        } else {
            self.hidden
        }
    }
}

/// A belief over s for each row, with the deterministic state it belongs to.
#[derive(Clone)]
pub struct Belief {
    /// Mean of s, `[N, stoch]`.
    pub mean: Tensor<2>,
    /// Standard deviation of s, `[N, stoch]`.
    pub std: Tensor<2>,
    /// h, `[N, deter]`, if there is a deterministic part.
    pub deter: Option<Tensor<2>>,
}

impl Belief {
    /// z at the mean, `[N, n]`.
    pub fn state(&self) -> Tensor<2> {
        self.state_of(self.mean.clone())
    }

    /// z with s `[N, stoch]` in place of the mean, `[N, n]`.
    pub fn state_of(&self, stoch: Tensor<2>) -> Tensor<2> {
        match &self.deter {
            Some(deter) => Tensor::cat(vec![stoch, deter.clone()], 1),
            None => stoch,
        }
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

impl Unrolled {
    /// z of the samples, `[T * B, n]`.
    pub fn state(&self) -> Tensor<2> {
        self.posterior.state_of(self.sample.clone())
    }
}

/// The recurrent core with the weights of one step.
pub struct Core {
    sizes: Sizes,
    input: Dense,
    /// Products with x and with h.
    gru: Option<(Dense, Dense)>,
    prior: Dense,
    /// Mean, then deviation before softplus, `[hidden, 2 stoch]`.
    prior_moments: Dense,
    posterior: Dense,
    /// Layer of the posterior's mean and deviation, as `prior_moments` is of the prior's.
    posterior_moments: Dense,
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
        let feature = sizes.feature();
        params.add_dense("input", stoch + action, hidden, rng);
        if deter > 0 {
            params.add_dense("gru_input", hidden, 3 * deter, rng);
            params.add_dense("gru_recurrent", deter, 3 * deter, rng);
        }
        params.add_dense("prior", feature, hidden, rng);
        params.add_dense("prior_moments", hidden, 2 * stoch, rng);
        params.add_dense("posterior", feature + embed, hidden, rng);
        params.add_dense("posterior_moments", hidden, 2 * stoch, rng);
    }

    /// The core with these weights.
    pub fn new(leaves: &Leaves, sizes: Sizes) -> Self {
        let linear = |name: &str| Dense::new(leaves, name, Activation::Linear);
        let elu = |name: &str| Dense::new(leaves, name, Activation::Elu);
        Self {
            sizes,
            input: elu("input"),
            gru: (sizes.deter > 0).then(|| (linear("gru_input"), linear("gru_recurrent"))),
            prior: elu("prior"),
            prior_moments: linear("prior_moments"),
            posterior: elu("posterior"),
            posterior_moments: linear("posterior_moments"),
        }
    }

    /// What prior and posterior of the next step start from, `[N, feature]`: h' from s
    /// `[N, stoch]`, h `[N, deter]` and action `[N, action]`, or x where there is no h.
    fn advance_parts(
        &self,
        stoch: Tensor<2>,
        deter: Option<Tensor<2>>,
        action: Tensor<2>,
    ) -> Tensor<2> {
        let x = self.input.forward(Tensor::cat(vec![stoch, action], 1));
        match (&self.gru, deter) {
            (Some((input, recurrent)), Some(deter)) => {
                gru_gates(input.forward(x), recurrent.forward(deter.clone()), deter)
            }
            _ => x,
        }
    }

    /// What prior and posterior of the next step start from, `[N, feature]`, for z `[N, n]` and
    /// action `[N, action]`.
    pub fn advance(&self, state: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        let Sizes { stoch, deter, .. } = self.sizes;
        if deter == 0 {
            return self.advance_parts(state, None, action);
        }
        self.advance_parts(
            state.clone().narrow(1, 0, stoch),
            Some(state.narrow(1, stoch, deter)),
            action,
        )
    }

    /// The prior over s given [`Self::advance`]'s result.
    pub fn prior(&self, feature: Tensor<2>) -> Belief {
        let hidden = self.prior.forward(feature.clone());
        self.belief(self.prior_moments.forward(hidden), feature)
    }

    /// The posterior over s given [`Self::advance`]'s result and the embedded observation
    /// `[N, embed]`.
    pub fn posterior(&self, feature: Tensor<2>, embed: Tensor<2>) -> Belief {
        let both = Tensor::cat(vec![feature.clone(), embed], 1);
        let hidden = self.posterior.forward(both);
        self.belief(self.posterior_moments.forward(hidden), feature)
    }

    fn belief(&self, moments: Tensor<2>, feature: Tensor<2>) -> Belief {
        let stoch = self.sizes.stoch;
        let mean = moments.clone().narrow(1, 0, stoch);
        let std = softplus(moments.narrow(1, stoch, stoch)).add_scalar(self.sizes.min_std);
        let deter = self.carried(feature);
        Belief { mean, std, deter }
    }

    /// h', if there is a deterministic part.
    fn carried(&self, feature: Tensor<2>) -> Option<Tensor<2>> {
        self.gru.is_some().then_some(feature)
    }

    /// One step of the prior mean, mu(z, a): `[N, n]`, `[N, action]` to `[N, n]`.
    pub fn mean_step(&self, state: Tensor<2>, action: Tensor<2>) -> Tensor<2> {
        self.prior(self.advance(state, action)).state()
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
        let mut deter =
            (self.sizes.deter > 0).then(|| Tensor::zeros([batch, self.sizes.deter], &device));
        let mut means = Vec::with_capacity(steps);
        let mut stds = Vec::with_capacity(steps);
        let mut features = Vec::with_capacity(steps);
        let mut samples = Vec::with_capacity(steps);
        for t in 0..steps {
            let at = |x: &Tensor<2>| x.clone().narrow(0, t * batch, batch);
            let feature = self.advance_parts(stoch, deter, at(&previous_action));
            let belief = self.posterior(feature.clone(), at(&embed));
            stoch = belief.mean.clone() + belief.std.clone() * at(&noise);
            deter = belief.deter;
            means.push(belief.mean);
            stds.push(belief.std);
            features.push(feature);
            samples.push(stoch.clone());
        }
        let feature = Tensor::cat(features, 0);
        Unrolled {
            prior: self.prior(feature.clone()),
            posterior: Belief {
                mean: Tensor::cat(means, 0),
                std: Tensor::cat(stds, 0),
                deter: self.carried(feature),
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
            deter: None,
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
                deter: None,
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
