//! Gaussians by samples: drawing them, matching their moments, and what reward to expect of them.

use latco_models::{RewardHead, RewardKind};

use super::super::super::noise::Noise;
use crate::config::Objective;

/// Fills unit Gaussian samples `[.., samples, width]`, given as blocks of `samples * width`: the second half of a
/// block is the negative of the first, so that every mean is exactly 0, and each column has the
/// deviation 1 (an odd sample in the middle is 0).
pub(super) fn draw(noise: &mut Noise, samples: usize, width: usize, out: &mut [f32]) {
    let half = samples / 2 * width;
    for block in out.chunks_exact_mut(samples * width) {
        let (first, rest) = block.split_at_mut(half);
        noise.fill(first);
        for column in 0..width {
            let values = || (column..half).step_by(width);
            let square: f32 = values().map(|at| first[at] * first[at]).sum();
            let scale = (samples as f32 / (2.0 * square)).sqrt();
            if scale.is_finite() {
                values().for_each(|at| first[at] *= scale);
            }
        }
        let (middle, second) = rest.split_at_mut(rest.len() - half);
        middle.fill(0.0);
        for (mirrored, value) in second.iter_mut().zip(&*first) {
            *mirrored = -value;
        }
    }
}

/// Writes samples of a Gaussian of this mean and deviation `[n]`: `mean + deviation * noise`, noise and
/// samples `[K, n]`.
pub(super) fn sample(mean: &[f32], deviation: &[f32], noise: &[f32], out: &mut [f32]) {
    let n = mean.len();
    for (row, noise) in out.chunks_exact_mut(n).zip(noise.chunks_exact(n)) {
        for (((value, mean), deviation), noise) in
            row.iter_mut().zip(mean).zip(deviation).zip(noise)
        {
            *value = mean + deviation * noise;
        }
    }
}

/// Writes the mean of rows `[K, width]`.
pub(super) fn mean(rows: &[f32], out: &mut [f32]) {
    let width = out.len();
    let share = width as f32 / rows.len() as f32;
    out.fill(0.0);
    for row in rows.chunks_exact(width) {
        for (out, value) in out.iter_mut().zip(row) {
            *out += value;
        }
    }
    out.iter_mut().for_each(|out| *out *= share);
}

/// Writes the deviation of the states that follow from sampled ones: of the predicted means `[K, n]` around
/// their mean `[n]`, with the predicted deviations `[K, ns]` of the first `ns` elements in it. Only the states before are sampled, not the step itself: its variance is known.
pub(super) fn deviation(means: &[f32], mean: &[f32], deviations: &[f32], out: &mut [f32]) {
    let n = mean.len();
    let samples = means.len() / n;
    let ns = deviations.len() / samples;
    out.fill(0.0);
    for row in means.chunks_exact(n) {
        for ((out, value), mean) in out.iter_mut().zip(row).zip(mean) {
            *out += (value - mean) * (value - mean);
        }
    }
    if ns > 0 {
        for row in deviations.chunks_exact(ns) {
            for (out, deviation) in out.iter_mut().zip(row) {
                *out += deviation * deviation;
            }
        }
    }
    let share = 1.0 / samples as f32;
    out.iter_mut().for_each(|out| *out = (*out * share).sqrt());
}

/// The worth of samples with these outputs of the reward head, each within its range, as a reward.
pub(super) fn worth(head: &RewardHead, objective: Objective, outputs: &[f32]) -> f32 {
    let share = 1.0 / outputs.len() as f32;
    let rewards = outputs.iter().map(|output| head.expected(*output));
    match (objective, head.kind) {
        (Objective::ExpectedCost, RewardKind::Regression) => {
            of_cost(share * rewards.map(cost).sum::<f32>())
        }
        _ => share * rewards.sum::<f32>(),
    }
}

/// The amount that a step of this [`worth`] adds to that of a plan: the reward, or the saving over the cost
/// of a step without reward. Costs are added as the solver adds them: a loss outweighs any number of wins
/// after it.
pub(super) fn counted(head: &RewardHead, objective: Objective, worth: f32) -> f32 {
    match (objective, head.kind) {
        (Objective::ExpectedCost, RewardKind::Regression) => cost(0.0) - cost(worth),
        _ => worth,
    }
}

/// The cost of a reward: its squared residual, ln(1 + exp(-r))^2.
fn cost(reward: f32) -> f32 {
    log_sigmoid(reward) * log_sigmoid(reward)
}

/// The reward that has this cost.
fn of_cost(cost: f32) -> f32 {
    let residual = cost.sqrt().max(f32::MIN_POSITIVE);
    -(residual + (-(-residual).exp_m1()).ln())
}

/// The output of the reward head that stands for what samples with these `outputs` are worth, and its
/// derivative with respect to each of them, into `weights`.
///
/// A regressed reward has the mean of its samples, or the reward that costs as much as they do on the
/// mean; as in LatCo, its range counts only where plans are valued. A logit has the logit of the mean
/// probability, computed without leaving the logarithms.
pub(super) fn equivalent(
    head: &RewardHead,
    objective: Objective,
    outputs: &[f32],
    weights: &mut [f32],
) -> f32 {
    let share = 1.0 / outputs.len() as f32;
    match (head.kind, objective) {
        (RewardKind::Regression, Objective::ExpectedReward) => {
            weights.fill(share);
            outputs.iter().sum::<f32>() * share
        }
        (RewardKind::Regression, Objective::ExpectedCost) => {
            let sum: f32 = outputs.iter().map(|output| cost(*output)).sum();
            let residual = (share * sum).sqrt().max(f32::MIN_POSITIVE);
            for (weight, output) in weights.iter_mut().zip(outputs) {
                let slope = log_sigmoid(-output).exp();
                *weight =
                    share * slope * (-log_sigmoid(*output) / residual) / -(-residual).exp_m1();
            }
            of_cost(share * sum)
        }
        (RewardKind::BernoulliLogit, _) => {
            let log_mean = |sign: f32| {
                let logs = || outputs.iter().map(|output| log_sigmoid(sign * output));
                let largest = logs().fold(f32::NEG_INFINITY, f32::max);
                largest + (share * logs().map(|log| (log - largest).exp()).sum::<f32>()).ln()
            };
            let (yes, no) = (log_mean(1.0), log_mean(-1.0));
            for (weight, output) in weights.iter_mut().zip(outputs) {
                let slope = log_sigmoid(*output) + log_sigmoid(-output);
                *weight = share * (slope - yes - no).exp();
            }
            yes - no
        }
    }
}

/// Computes ln(1 / (1 + exp(-x))).
fn log_sigmoid(x: f32) -> f32 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use latco_models::RewardRange;

    #[test]
    fn drawn_samples_have_the_moments_of_the_unit_gaussian() {
        for samples in [1, 2, 5, 50] {
            let mut noise = vec![f32::NAN; 3 * samples * 7];
            draw(&mut Noise::new(1), samples, 7, &mut noise);
            for block in noise.chunks_exact(samples * 7) {
                let mut middle = [f32::NAN; 7];
                mean(block, &mut middle);
                assert!(middle.iter().all(|m| m.abs() < 1e-6), "{middle:?}");
                let mut spread = [f32::NAN; 7];
                deviation(block, &middle, &[], &mut spread);
                let expected = if samples == 1 { 0.0 } else { 1.0 };
                assert!(
                    spread.iter().all(|s| (s - expected).abs() < 1e-4),
                    "{samples}: {spread:?}"
                );
            }
        }
    }

    /// Through a map that is not linear, against a million draws.
    #[test]
    fn the_propagated_moments_are_those_of_monte_carlo() {
        let (at, spread, noise_std) = (0.4f32, 0.8f32, 0.5f32);
        let map = |z: f32| (1.5 * z).tanh() + 0.2 * z * z;
        let mut random = vec![0.0; 2_000_000];
        Noise::new(3).fill(&mut random);
        let next: Vec<f64> = random
            .chunks_exact(2)
            .map(|pair| f64::from(map(at + spread * pair[0]) + noise_std * pair[1]))
            .collect();
        let true_mean = next.iter().sum::<f64>() / next.len() as f64;
        let square = next.iter().map(|v| (v - true_mean).powi(2)).sum::<f64>();
        let true_std = (square / next.len() as f64).sqrt();

        // 50 samples at a time; the mean over many of the errors is small, and each is
        let (mut error, mut worst) = ([0.0f64; 2], 0.0f64);
        let rounds = 200;
        let mut source = Noise::new(4);
        for _ in 0..rounds {
            let mut noise = vec![0.0; 50];
            draw(&mut source, 50, 1, &mut noise);
            let mut states = vec![0.0; 50];
            sample(&[at], &[spread], &noise, &mut states);
            let means: Vec<f32> = states.iter().map(|z| map(*z)).collect();
            let (mut middle, mut std) = ([0.0], [0.0]);
            mean(&means, &mut middle);
            deviation(&means, &middle, &[noise_std; 50], &mut std);
            let of_round = [
                f64::from(middle[0]) - true_mean,
                f64::from(std[0]) - true_std,
            ];
            for (error, of_round) in error.iter_mut().zip(of_round) {
                *error += of_round / f64::from(rounds);
                worst = worst.max(of_round.abs());
            }
        }
        assert!(
            error.iter().all(|e| e.abs() < 0.01),
            "{error:?} of {true_mean} {true_std}"
        );
        assert!(worst < 0.15, "{worst}");
    }

    #[test]
    fn the_reward_to_expect_is_the_mean_and_its_slope_that_of_differences() {
        let range = RewardRange {
            low: -40.0,
            high: 20.0,
        };
        use Objective::{ExpectedCost, ExpectedReward};
        use RewardKind::{BernoulliLogit, Regression};
        for (kind, objective) in [
            (Regression, ExpectedReward),
            (Regression, ExpectedCost),
            (BernoulliLogit, ExpectedCost),
        ] {
            let head = RewardHead {
                kind,
                range,
                penalty: None,
                discount: None,
            };
            let outputs = [-3.0, 0.5, 2.0, 18.0, -0.1];
            let mut weights = [0.0; 5];
            let value = equivalent(&head, objective, &outputs, &mut weights);
            let expected = worth(&head, objective, &outputs);
            assert!((head.expected(value) - expected).abs() < 1e-5, "{kind:?}");
            for index in 0..5 {
                let mut moved = outputs;
                moved[index] += 1e-2;
                let above = equivalent(&head, objective, &moved, &mut [0.0; 5]);
                let slope = (above - value) / 1e-2;
                assert!((slope - weights[index]).abs() < 2e-3, "{kind:?} {index}");
            }
            // one outcome alone is itself
            assert!((equivalent(&head, objective, &[2.5; 5], &mut weights) - 2.5).abs() < 1e-5);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        // far out nothing overflows
        let head = RewardHead {
            kind: RewardKind::BernoulliLogit,
            range: RewardRange::default(),
            penalty: None,
            discount: None,
        };
        let mut weights = [0.0; 2];
        for outputs in [[-300.0, -290.0], [300.0, 290.0]] {
            let value = equivalent(&head, ExpectedCost, &outputs, &mut weights);
            assert!(value.is_finite() && weights.iter().all(|w| w.is_finite()));
        }
    }

    #[test]
    fn outcomes_beyond_the_range_are_worth_its_ends() {
        let head = RewardHead {
            kind: RewardKind::Regression,
            range: RewardRange {
                low: -40.0,
                high: 20.0,
            },
            penalty: None,
            discount: None,
        };
        let worth = |objective| worth(&head, objective, &[60.0, -80.0]);
        assert_eq!(worth(Objective::ExpectedReward), -10.0);
        // The root of half of 40 squared.
        assert!((worth(Objective::ExpectedCost) + 800.0_f32.sqrt()).abs() < 1e-3);
    }
}
