//! A trained model as a bundle: weights for the ONNX graphs, golden vectors computed by burn.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chacha20::ChaCha8Rng;
use latco_export::{Metadata, write_bundle};
use latco_models::{Bundle, Golden, Graph, LoadOptions, RewardKind as BundleReward};
use latco_reference::{
    Activation, Conv, Decoder, Dense, Encoder, Gru, Mlp, Normalisation, Penalty, PixelScaling,
    PriorStep, RssmWeights, TransposedConv,
};
use ndarray::{Array1, Array2, Array4, Axis, concatenate, s};
use rand::{RngExt, SeedableRng};

use crate::fit::config::RewardKind;
use crate::fit::dataset::{Frames, normals};
use crate::fit::trained::Model;
use crate::gates::{Gate, for_manifest};
use crate::rssm::ensemble;
use crate::rssm::keypoint::SHARPNESS;
use crate::rssm::params::{Params, tensor, to_vec};
use crate::rssm::world::{REWARD_LAYERS, WorldSizes};

/// Side of the patches in which the keypoint decoder's pixels are stored, pixels.
const PATCH: usize = 8;
/// Rows of every golden case.
const GOLDEN_ROWS: usize = 4;
/// Seed of the golden inputs.
const GOLDEN_SEED: u64 = 2_021;

/// Writes the bundle of a model into `folder` and loads it again, which compares every graph in
/// ONNX Runtime with burn. Returns the largest difference that was found.
///
/// # Errors
/// Weights that cannot be exported, files that cannot be written, a missing ONNX Runtime, or
/// graphs that disagree with burn by more than 1e-4.
pub fn export(model: &Model, gates: &[Gate], folder: &Path) -> Result<f64> {
    if model.sizes().penalty > 0.0 && !model.world.get(ensemble::REFERENCE).values[0].is_normal() {
        bail!(
            "the disagreement of the ensemble has no reference yet, as training has not ended: \
             expected a finished run, or a penalty of 0"
        );
    }
    let weights = weights(model);
    let golden = golden(model)?;
    write_bundle(folder, &weights, &metadata(model, gates), &golden)
        .with_context(|| format!("writing the bundle {}", folder.display()))?;
    let bundle = Bundle::load(folder, &LoadOptions::default())
        .with_context(|| format!("checking the bundle {} against burn", folder.display()))?;
    let worst = bundle.verification().golden_worst.values();
    Ok(worst.fold(0.0, |worst, value| worst.max(f64::from(*value))))
}

/// The weights in the exporter's layout.
pub fn weights(model: &Model) -> RssmWeights {
    let world = &model.world;
    let gru = || Gru {
        input: dense(world, "gru_input"),
        recurrent: dense(world, "gru_recurrent"),
    };
    let [prior_mean, prior_std] = dense(world, "prior_moments").halves();
    let [posterior_mean, posterior_std] = dense(world, "posterior_moments").halves();
    let facts = &model.facts;
    let joints = (!facts.joints_mean.is_empty()).then(|| Normalisation {
        mean: Array1::from_vec(facts.joints_mean.clone()),
        std: Array1::from_vec(facts.joints_std.clone()),
    });
    let (encoder, decoder) = match &model.autoencoder {
        Some(autoencoder) => (
            keypoint_encoder(model, autoencoder),
            patch_decoder(model, autoencoder),
        ),
        None => (conv_encoder(world), conv_decoder(world)),
    };
    RssmWeights {
        step: PriorStep {
            input: dense(world, "input"),
            gru: (model.config.model.deter > 0).then(gru),
            prior: dense(world, "prior"),
            prior_mean,
            prior_std,
            min_std: model.config.model.min_std as f32,
        },
        posterior: dense(world, "posterior"),
        posterior_mean,
        posterior_std,
        reward: mlp(world, model.sizes().planned_head(), REWARD_LAYERS),
        penalty: penalty(model),
        pixels: PixelScaling::CENTRED,
        encoder,
        joints,
        decoder,
    }
}

/// The heads of the ensemble side by side, their deviations from the mean head on the scale of the
/// reference.
fn penalty(model: &Model) -> Option<Penalty> {
    let WorldSizes {
        core,
        ensemble: heads,
        penalty: weight,
        ..
    } = model.sizes();
    if heads == 0 || weight == 0.0 {
        return None;
    }
    let reference = model.world.get(ensemble::REFERENCE).values[0];
    let deviation = array1(&model.world, ensemble::DEVIATION);
    let (stoch, hidden) = (core.stoch, core.hidden);
    let mut first = Dense {
        kernel: Array2::zeros((core.state(), heads * hidden)),
        bias: Array1::zeros(heads * hidden),
    };
    // The deviations of K heads from their mean have K - 1 dimensions: differences of each head to
    // the mean of those before it, of the same length (Helmert's contrasts).
    let mut second = Dense {
        kernel: Array2::zeros((heads * hidden, (heads - 1) * stoch)),
        bias: Array1::zeros((heads - 1) * stoch),
    };
    let scale = 1.0 / ((heads * stoch) as f32 * reference).sqrt();
    for index in 0..heads {
        let name = ensemble::head(index);
        let [input, output] = [0, 1].map(|layer| dense(&model.world, &format!("{name}.{layer}")));
        let rows = index * hidden..(index + 1) * hidden;
        let into = s![stoch.., rows.clone()];
        first.kernel.slice_mut(into).assign(&input.kernel);
        first.bias.slice_mut(s![rows.clone()]).assign(&input.bias);
        for contrast in index.saturating_sub(1)..heads - 1 {
            let before = (contrast + 1) as f32;
            let factor = if index <= contrast { 1.0 } else { -before };
            let factor = &deviation.mapv(|d| scale * factor / (before * (before + 1.0)).sqrt() / d);
            let columns = contrast * stoch..(contrast + 1) * stoch;
            let into = s![rows.clone(), columns.clone()];
            (second.kernel.slice_mut(into)).assign(&(&output.kernel * factor));
            let mut bias = second.bias.slice_mut(s![columns]);
            bias += &(&output.bias * factor);
        }
    }
    Some(Penalty {
        deviations: Mlp {
            layers: vec![first, second],
            activation: Activation::Elu,
        },
        weight,
        heads,
        reference,
    })
}

fn keypoint_encoder(model: &Model, params: &Params) -> Encoder {
    // What is multiplied onto the maps: see SHARPNESS.
    let factors = [1.0, SHARPNESS];
    let layers = model
        .keypoint_sizes()
        .geometry()
        .into_iter()
        .enumerate()
        .map(|(index, g)| {
            let kernel = params.get(&format!("encoder.conv{}.kernel", index + 1));
            let outputs = kernel.shape[1];
            let by_patch = Array4::from_shape_vec(
                (g.kernel, g.kernel, g.channels, outputs),
                kernel.values.clone(),
            )
            .expect("a convolution's kernel has a row per value of its patch");
            Conv {
                kernel: by_patch
                    .permuted_axes([3, 2, 0, 1])
                    .as_standard_layout()
                    .mapv(|w| w * factors[index]),
                bias: array1(params, &format!("encoder.conv{}.bias", index + 1)) * factors[index],
                stride: g.stride,
                padding: g.padding,
            }
        });
    let mlp = mlp(params, "encoder.code", 2);
    let code = mlp.layers[1].outputs();
    Encoder::Keypoint {
        layers: layers.collect(),
        mlp,
        whiten: identity(code),
    }
}

/// The decoder's pixels as patches, on the scale of the encoder's input.
fn patch_decoder(model: &Model, params: &Params) -> Decoder {
    let mut mlp = mlp(params, "decoder", 3);
    let (height, width) = (model.facts.height, model.facts.width);
    let last = mlp.layers.last_mut().expect("the decoder has three layers");
    let patch = patch_size(height, width);
    let order = patch_order(height, width, patch);
    last.kernel = last.kernel.select(Axis(1), &order);
    last.bias = last
        .bias
        .select(Axis(0), &order)
        .mapv(|b| b + PixelScaling::CENTRED.offset);
    let code = self::mlp(&model.world, "code", 3);
    let head = match model.keypoint_sizes().decoder_joints {
        0 => code,
        _ => side_by_side(code, self::mlp(&model.world, "joints", 2)),
    };
    Decoder::Patch {
        head,
        unwhiten: identity(mlp.layers[0].inputs()),
        mlp,
        patch,
        sigmoid: false,
    }
}

/// One network whose output is that of `code`, of three layers, and then that of `joints`, of two.
///
/// The hidden layer of `joints` goes through the second layer raised by 1: it is above -1 as an ELU's
/// output, so that the second ELU lets it pass, and the last layer takes the 1 off again.
fn side_by_side(code: Mlp, joints: Mlp) -> Mlp {
    let [first, second, last] = <[Dense; 3]>::try_from(code.layers).expect("three layers");
    let [hidden, output] = <[Dense; 2]>::try_from(joints.layers).expect("two layers");
    let width = hidden.outputs();
    let raised = Dense {
        kernel: Array2::eye(width),
        bias: Array1::ones(width),
    };
    let lowered = Dense {
        bias: &output.bias - &output.kernel.sum_axis(Axis(0)),
        kernel: output.kernel,
    };
    Mlp {
        layers: vec![
            Dense {
                kernel: concatenate![Axis(1), first.kernel, hidden.kernel],
                bias: concatenate![Axis(0), first.bias, hidden.bias],
            },
            diagonal(&second, &raised),
            diagonal(&last, &lowered),
        ],
        activation: code.activation,
    }
}

/// One layer of both, each on its own inputs.
fn diagonal(one: &Dense, other: &Dense) -> Dense {
    let (rows, columns) = one.kernel.dim();
    let mut kernel = Array2::zeros((rows + other.inputs(), columns + other.outputs()));
    kernel.slice_mut(s![..rows, ..columns]).assign(&one.kernel);
    kernel
        .slice_mut(s![rows.., columns..])
        .assign(&other.kernel);
    Dense {
        kernel,
        bias: concatenate![Axis(0), one.bias, other.bias],
    }
}

/// The largest square patch of at most [`PATCH`] pixels that tiles the image.
fn patch_size(height: usize, width: usize) -> usize {
    (1..=PATCH)
        .rev()
        .find(|p| height.is_multiple_of(*p) && width.is_multiple_of(*p))
        .unwrap_or(1)
}

/// The index in `[row, column, rgb]` order of each value in patch order.
fn patch_order(height: usize, width: usize, patch: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(height * width * 3);
    for top in (0..height).step_by(patch) {
        for left in (0..width).step_by(patch) {
            for row in top..top + patch {
                for column in left..left + patch {
                    order.extend((0..3).map(|c| (row * width + column) * 3 + c));
                }
            }
        }
    }
    order
}

fn conv_encoder(params: &Params) -> Encoder {
    let layers = (1..=4)
        .map(|index| Conv {
            kernel: array4(params, &format!("encoder.conv{index}.kernel")),
            bias: array1(params, &format!("encoder.conv{index}.bias")),
            stride: 2,
            padding: 0,
        })
        .collect();
    Encoder::Conv { layers }
}

fn conv_decoder(params: &Params) -> Decoder {
    let layers = (1..=4)
        .map(|index| TransposedConv {
            kernel: array4(params, &format!("decoder.conv{index}.kernel")),
            bias: array1(params, &format!("decoder.conv{index}.bias")),
            stride: 2,
        })
        .collect();
    Decoder::Conv {
        input: dense(params, "decoder.input"),
        layers,
    }
}

fn metadata(model: &Model, gates: &[Gate]) -> Metadata {
    let facts = &model.facts;
    Metadata {
        task: facts.task.clone(),
        control_period_s: facts.control_period_s,
        trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
        data_hash: facts.data_hash.clone(),
        horizon: model.config.horizon,
        image_height: facts.height,
        image_width: facts.width,
        action_scale: facts.action_scale.clone(),
        action_kinds: facts.action_kinds.clone(),
        action_limit: 1.0,
        joint_names: facts.joint_names.clone(),
        position_lower_rad: facts.position_lower_rad.clone(),
        position_upper_rad: facts.position_upper_rad.clone(),
        velocity_limit_rad_s: facts.velocity_limit_rad_s.clone(),
        reward_kind: match model.config.model.plan_with {
            RewardKind::Regression => BundleReward::Regression,
            RewardKind::BernoulliLogit => BundleReward::BernoulliLogit,
        },
        reward_range: facts.reward_range,
        reward_discount: Some(model.config.data.reward_discount as f32).filter(|d| *d > 0.0),
        gates: for_manifest(gates),
    }
}

/// Random inputs of every graph and burn's outputs for them. The gate factors of `dynamics`, which
/// burn has no use for, are left to the exporter's reference.
pub fn golden(model: &Model) -> Result<Golden> {
    let sizes = model.sizes().core;
    let facts = &model.facts;
    let (rows, na, n, horizon) = (
        GOLDEN_ROWS,
        sizes.action,
        sizes.state(),
        model.config.horizon,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(GOLDEN_SEED);
    let world = model.build();
    let mut states = || -> Vec<f32> {
        normals(rows * n, &mut rng)
            .iter()
            .map(|x| 0.5 * x)
            .collect()
    };
    let [seen, stepped, rewarded, rolled, decoded] = std::array::from_fn(|_| states());
    let mut actions =
        |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let (first, second, plans) = (
        actions(rows * na),
        actions(rows * na),
        actions(rows * horizon * na),
    );
    let pixels: Vec<u8> = (0..rows * facts.height * facts.width * 3)
        .map(|_| rng.random())
        .collect();
    let joints: Vec<f32> = (0..rows)
        .flat_map(|_| normals(facts.joints_mean.len(), &mut rng))
        .zip(
            facts
                .joints_mean
                .iter()
                .cycle()
                .zip(facts.joints_std.iter().cycle()),
        )
        .map(|(x, (mean, std))| mean + std * x)
        .collect();
    let mut golden = Golden::default();

    let mut frames = Frames::new(facts.height, facts.width, facts.joints_mean.len(), na);
    frames.push(&pixels, &joints, &vec![0.0; rows * na], &vec![0.0; rows]);
    let (mean, std) = model.observe(
        &frames,
        tensor(seen.clone(), [rows, n]),
        tensor(first.clone(), [rows, na]),
    )?;
    let case = golden.case(Graph::Observe);
    case.input_u8("image", &[rows, facts.height, facts.width, 3], pixels);
    if !facts.joints_mean.is_empty() {
        case.input_f32("joints", &[rows, facts.joints_mean.len()], joints);
    }
    case.input_f32("state", &[rows, n], seen)
        .input_f32("action", &[rows, na], first)
        .output("mean", &[rows, n], to_vec(mean))
        .output("std", &[rows, sizes.stoch], to_vec(std));

    let h = world.core.advance(
        tensor(stepped.clone(), [rows, n]),
        tensor(second.clone(), [rows, na]),
    );
    let prior = world.core.prior(h);
    golden
        .case(Graph::Dynamics)
        .input_f32("state", &[rows, n], stepped)
        .input_f32("action", &[rows, na], second)
        .output("mean", &[rows, n], to_vec(prior.state()))
        .output("std", &[rows, sizes.stoch], to_vec(prior.std));

    let state = tensor::<2>(rewarded.clone(), [rows, n])
        .autodiff()
        .require_grad();
    let reward = world.reward(state.clone());
    let values = to_vec(reward.clone().without_autodiff());
    let gradient = state
        .grad(&reward.sum().backward())
        .context("the reward head does not depend on the state")?;
    golden
        .case(Graph::Reward)
        .input_f32("state", &[rows, n], rewarded)
        .output("reward", &[rows], values)
        .output("gradient", &[rows, n], to_vec(gradient));

    let per_step: Vec<_> = (0..horizon)
        .map(|t| {
            let step =
                (0..rows).flat_map(|row| plans[(row * horizon + t) * na..][..na].iter().copied());
            tensor(step.collect(), [rows, na])
        })
        .collect();
    let path = world
        .core
        .rollout(tensor(rolled.clone(), [rows, n]), &per_step);
    let by_step: Vec<Vec<f32>> = path.into_iter().map(|z| to_vec(world.reward(z))).collect();
    let rewards: Vec<f32> = (0..rows)
        .flat_map(|row| by_step.iter().map(move |step| step[row]))
        .collect();
    let returns = rewards
        .chunks(horizon)
        .map(|r| r.iter().map(|r| facts.reward_range.clamp(*r)).sum())
        .collect();
    golden
        .case(Graph::Rollout)
        .input_f32("state", &[rows, n], rolled)
        .input_f32("action", &[rows, horizon, na], plans)
        .output("rewards", &[rows, horizon], rewards)
        .output("returns", &[rows], returns);

    let image = model.decode(tensor(decoded.clone(), [rows, n]));
    golden
        .case(Graph::Decode)
        .input_f32("state", &[rows, n], decoded)
        .output("image", &[rows, facts.height, facts.width, 3], image);
    Ok(golden)
}

fn array1(params: &Params, name: &str) -> Array1<f32> {
    Array1::from_vec(params.get(name).values.clone())
}

fn array4(params: &Params, name: &str) -> Array4<f32> {
    let p = params.get(name);
    let shape = (p.shape[0], p.shape[1], p.shape[2], p.shape[3]);
    Array4::from_shape_vec(shape, p.values.clone())
        .expect("a parameter has as many values as its shape")
}

fn dense(params: &Params, name: &str) -> Dense {
    let kernel = params.get(&format!("{name}.kernel"));
    Dense {
        kernel: Array2::from_shape_vec((kernel.shape[0], kernel.shape[1]), kernel.values.clone())
            .expect("a parameter has as many values as its shape"),
        bias: array1(params, &format!("{name}.bias")),
    }
}

fn mlp(params: &Params, name: &str, layers: usize) -> Mlp {
    Mlp {
        layers: (0..layers)
            .map(|index| dense(params, &format!("{name}.{index}")))
            .collect(),
        activation: Activation::Elu,
    }
}

/// Whitening is folded into the layers around the code.
fn identity(width: usize) -> Dense {
    Dense {
        kernel: Array2::eye(width),
        bias: Array1::zeros(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_order_visits_every_value_once_patch_by_patch() {
        let order = patch_order(16, 8, 8);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..16 * 8 * 3).collect::<Vec<_>>());
        assert_eq!(order[..6], [0, 1, 2, 3, 4, 5]);
        assert_eq!(order[8 * 8 * 3], 8 * 8 * 3);
        assert_eq!(patch_order(8, 16, 8)[8 * 3], 16 * 3);
    }
}
