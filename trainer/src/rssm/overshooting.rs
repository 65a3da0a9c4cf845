//! Latent overshooting: beliefs predicted several steps ahead are held against the posterior.
//!
//! Hafner et al. 2019 (PlaNet), section 4, Eq. 7.

use burn::tensor::Tensor;

use super::recurrent::{Core, Unrolled, kl_divergence};

/// Where beliefs are predicted from, and how far.
pub struct Overshooting<'a> {
    /// Largest distance, steps; at least 2.
    pub distance: usize,
    /// Sequences in the batch.
    pub batch: usize,
    /// Action after each row of the unrolled sequences, `[T * B, action]`.
    pub actions: &'a Tensor<2>,
    /// Draws the samples in between: `[(distance - 1) * (T - distance) * B, stoch]`.
    pub noise: Tensor<2>,
    /// Divergence per step that costs nothing, nats.
    pub free_nats: f32,
}

impl Overshooting<'_> {
    /// Rows of noise that are needed for sequences of `length` frames.
    pub fn noise_rows(distance: usize, length: usize, batch: usize) -> usize {
        (distance - 1) * (length - distance) * batch
    }

    /// Mean over the distances 2 to `distance` and the rows of KL(posterior || prior predicted that
    /// many steps ahead), with the posterior as it is: the gradient goes to the prior and to where
    /// the prediction starts. Distance 1 is the divergence of the evidence bound itself. Returns
    /// the loss and the divergence without free nats.
    pub fn loss(&self, core: &Core, unrolled: &Unrolled) -> (Tensor<1>, Tensor<1>) {
        let all = unrolled.sample.dims()[0];
        let rows = all - self.distance * self.batch;
        let mut state = unrolled.state().narrow(0, 0, rows);
        let mut divergences = Vec::with_capacity(self.distance - 1);
        for k in 1..=self.distance {
            let shifted = |x: &Tensor<2>, by: usize| x.clone().narrow(0, by * self.batch, rows);
            let prior = core.prior(core.advance(state.clone(), shifted(self.actions, k - 1)));
            if k > 1 {
                divergences.push(kl_divergence(
                    shifted(&unrolled.posterior.mean, k).detach(),
                    shifted(&unrolled.posterior.std, k).detach(),
                    prior.mean.clone(),
                    prior.std.clone(),
                ));
            }
            if k < self.distance {
                let noise = self.noise.clone().narrow(0, (k - 1) * rows, rows);
                let sample = prior.mean.clone() + prior.std.clone() * noise;
                state = prior.state_of(sample);
            }
        }
        let divergence = Tensor::cat(divergences, 0);
        let measured = divergence.clone().detach().mean();
        (divergence.clamp_min(self.free_nats).mean(), measured)
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha8Rng;
    use rand::SeedableRng;

    use super::*;
    use crate::fit::dataset::normals;
    use crate::rssm::params::{Params, tensor, to_vec};
    use crate::rssm::recurrent::Sizes;

    const BATCH: usize = 2;
    const LENGTH: usize = 6;
    const DISTANCE: usize = 3;

    fn check(deter: usize) {
        let sizes = Sizes {
            stoch: 3,
            deter,
            hidden: 6,
            embed: 4,
            action: 2,
            min_std: 0.1,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut params = Params::default();
        Core::create(&mut params, &sizes, &mut rng);
        let leaves = params.leaves(true);
        let core = Core::new(&leaves, sizes);
        let count = BATCH * LENGTH;
        let mut draw =
            |rows: usize, width: usize| tensor::<2>(normals(rows * width, &mut rng), [rows, width]);
        let (embed, actions) = (draw(count, 4), draw(count, 2));
        let unrolled = core.unroll(embed, draw(count, 2), draw(count, 3), BATCH);
        let rows = (LENGTH - DISTANCE) * BATCH;
        assert_eq!(Overshooting::noise_rows(DISTANCE, LENGTH, BATCH), 2 * rows);
        let noise = draw(2 * rows, 3);
        let found = Overshooting {
            distance: DISTANCE,
            batch: BATCH,
            actions: &actions,
            noise: noise.clone(),
            free_nats: 0.0,
        };
        let (loss, measured) = found.loss(&core, &unrolled);

        // One row at a time, step by step.
        let one = |x: &Tensor<2>, row: usize| x.clone().narrow(0, row, 1);
        let mut sum = 0.0;
        for row in 0..rows {
            let mut state = one(&unrolled.state(), row);
            for k in 1..=DISTANCE {
                let at = row + (k - 1) * BATCH;
                let prior = core.prior(core.advance(state.clone(), one(&actions, at)));
                if k > 1 {
                    let (q_mean, q_std) = (&unrolled.posterior.mean, &unrolled.posterior.std);
                    let to = row + k * BATCH;
                    let kl = kl_divergence(
                        one(q_mean, to),
                        one(q_std, to),
                        prior.mean.clone(),
                        prior.std.clone(),
                    );
                    sum += to_vec(kl)[0];
                }
                if k < DISTANCE {
                    let draw = one(&noise, (k - 1) * rows + row);
                    state = prior.state_of(prior.mean.clone() + prior.std.clone() * draw);
                }
            }
        }
        let expected = sum / (2 * rows) as f32;
        let value = loss.clone().into_scalar::<f32>();
        assert!(
            (value - expected).abs() < 1e-4 * expected,
            "{value} {expected}"
        );
        assert_eq!(measured.into_scalar::<f32>(), value);
        let free = Overshooting {
            free_nats: 1e6,
            ..found
        };
        assert_eq!(free.loss(&core, &unrolled).0.into_scalar::<f32>(), 1e6);

        let gradients = leaves.gradients(&mut loss.backward());
        let index = |name: &str| params.entries.iter().position(|p| p.name == name).unwrap();
        let norm = |name: &str| gradients[index(name)].iter().map(|g| g.abs()).sum::<f32>();
        assert!(norm("prior_moments.kernel") > 0.0 && norm("input.kernel") > 0.0);
    }

    #[test]
    fn predictions_are_held_against_the_posterior_of_their_own_time() {
        check(5);
    }

    #[test]
    fn a_model_without_a_deterministic_part_overshoots_as_well() {
        check(0);
    }
}
