//! What a bundle has to compute before it is used: its golden vectors, and Jacobians and gradients that are the finite
//! differences of its graphs. Each check appends what it finds to one list.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::factors::FactorRow;
use crate::golden::{Golden, GoldenCase, GoldenData, TOLERANCE};
use crate::graph::{Element, Graph, Port};
use crate::graphs::{Dynamics, Reward};
use crate::manifest::DynamicsKind;
use crate::sessions::Sessions;

/// Largest allowed relative difference between the Jacobian and finite differences of the graph. Finite differences in
/// f32 are good to about 1e-3; a wrong factor or weight is off by far more.
pub const JACOBIAN_TOLERANCE: f64 = 2e-2;

/// What the checks measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verification {
    /// Largest difference between golden vectors and the session, relative to `max(1, |expected|)`, per graph.
    pub golden_worst: BTreeMap<Graph, f32>,
    /// Largest relative difference between the Jacobian and finite differences.
    pub jacobian_worst: f64,
    /// Largest relative difference between the gradient of the reward and finite differences.
    pub gradient_worst: f64,
}

/// Runs the golden vectors and the finite differences on the bundle's provider.
pub(crate) fn run(sessions: &Sessions, golden: &Golden, found: &mut Vec<String>) -> Verification {
    let mut verification = Verification::default();
    for graph in Graph::ALL {
        let cases: Vec<&GoldenCase> = golden.cases.iter().filter(|c| c.graph == graph).collect();
        if cases.is_empty() {
            found.push(format!("golden.postcard has no case for graph {graph}"));
        }
        for (index, case) in cases.into_iter().enumerate() {
            match golden_case(sessions, case) {
                Ok(worst) => {
                    let entry = verification.golden_worst.entry(graph).or_insert(0.0);
                    *entry = entry.max(worst);
                }
                Err(reason) => found.push(format!("golden case {index} of {graph}: {reason}")),
            }
        }
    }
    if found.is_empty()
        && let Some(case) = golden.cases.iter().find(|c| c.graph == Graph::Dynamics)
    {
        match jacobian(sessions, case) {
            Ok(worst) => verification.jacobian_worst = worst,
            Err(reason) => found.push(reason),
        }
    }
    if found.is_empty()
        && let Some(case) = golden.cases.iter().find(|c| c.graph == Graph::Reward)
    {
        match gradient(sessions, case) {
            Ok(worst) => verification.gradient_worst = worst,
            Err(reason) => found.push(reason),
        }
    }
    verification
}

/// Largest relative difference, or what is wrong.
fn golden_case(sessions: &Sessions, case: &GoldenCase) -> Result<f32, String> {
    let manifest = &sessions.manifest;
    let inputs = case.graph.inputs(manifest);
    let outputs = case.graph.outputs(manifest);
    let batch = case
        .inputs
        .first()
        .and_then(|tensor| tensor.shape.first().copied())
        .ok_or("has no inputs")?;
    if batch == 0 || batch > 4096 {
        return Err(format!("batch size {batch}, expected 1 to 4096"));
    }
    let fits = |port: &Port, shape: &[usize], data: &GoldenData| {
        let wanted: Vec<usize> = std::iter::once(batch)
            .chain(port.shape.iter().copied())
            .collect();
        let element = match data {
            GoldenData::F32(_) => Element::F32,
            GoldenData::U8(_) => Element::U8,
        };
        if shape != wanted || element != port.element || data.len() != wanted.iter().product() {
            return Err(format!(
                "{:?} is {element} {shape:?} with {} elements, expected {} {wanted:?}",
                port.name,
                data.len(),
                port.element
            ));
        }
        Ok(())
    };
    let mut given = Vec::new();
    for port in &inputs {
        let tensor = case
            .find_input(port.name)
            .ok_or_else(|| format!("input {:?} is missing", port.name))?;
        fits(port, &tensor.shape, &tensor.data)?;
        given.push(&tensor.data);
    }
    let mut wanted = Vec::new();
    for port in &outputs {
        let tensor = case
            .find_output(port.name)
            .ok_or_else(|| format!("output {:?} is missing", port.name))?;
        fits(port, &tensor.shape, &tensor.data)?;
        wanted.push(&tensor.data);
    }

    let mut bound = sessions
        .bound(case.graph, batch)
        .map_err(|e| e.to_string())?;
    for (index, data) in given.into_iter().enumerate() {
        match data {
            GoldenData::F32(data) => bound.input(index).copy_from_slice(data),
            GoldenData::U8(data) => bound.input(index).copy_from_slice(data),
        }
    }
    bound.run().map_err(|e| e.reason)?;
    let mut worst = 0.0f32;
    for (index, (port, data)) in outputs.iter().zip(wanted).enumerate() {
        let GoldenData::F32(expected) = data else {
            continue;
        };
        for (at, (&e, &got)) in expected.iter().zip(bound.output(index)).enumerate() {
            let difference = (e - got).abs() / e.abs().max(1.0);
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!(
                    "output {:?} element {at} is {got}, expected {e} within {TOLERANCE}",
                    port.name
                ));
            }
            worst = worst.max(difference);
        }
    }
    Ok(worst)
}

/// Central differences of the dynamics graph along 12 directions against the Jacobian from factors and weights.
fn jacobian(sessions: &Sessions, case: &GoldenCase) -> Result<f64, String> {
    const DIRECTIONS: usize = 12;
    const STEP: f32 = 1e-2;
    let dims = sessions.manifest.dims;
    let (n, na, ns) = (dims.state(), dims.action, dims.stoch);
    let first = |name: &str, len: usize| match case.find_input(name).map(|t| &t.data) {
        Some(GoldenData::F32(data)) if data.len() >= len => Ok(data[..len].to_vec()),
        _ => Err(format!("golden case of dynamics has no input {name:?}")),
    };
    let (z, a) = (first("state", n)?, first("action", na)?);

    // Within one part each: stochastic, deterministic, action.
    let mut sign = signs();
    let directions: Vec<Vec<f32>> = (0..DIRECTIONS)
        .map(|index| {
            let part = [0..ns, ns..n, n..n + na][index % 3].clone();
            direction(n + na, part, &mut sign)
        })
        .collect();

    let mut session = Dynamics::new(sessions, 1 + 2 * DIRECTIONS).map_err(|e| e.to_string())?;
    for row in 0..1 + 2 * DIRECTIONS {
        let step = match row {
            0 => 0.0,
            odd if odd % 2 == 1 => STEP,
            _ => -STEP,
        };
        let direction = &directions[row.saturating_sub(1) / 2];
        for (at, &base) in z.iter().enumerate() {
            session.state_mut()[row * n + at] = base + step * direction[at];
        }
        for (at, &base) in a.iter().enumerate() {
            session.action_mut()[row * na + at] = base + step * direction[n + at];
        }
    }
    session.run().map_err(|e| e.reason)?;

    let mut worst = 0.0f64;
    for (index, direction) in directions.iter().enumerate() {
        let dz: Vec<f64> = direction[..n].iter().map(|&d| f64::from(d)).collect();
        let da: Vec<f64> = direction[n..].iter().map(|&d| f64::from(d)).collect();
        let predicted = match (sessions.manifest.dynamics.kind, &sessions.weights) {
            (DynamicsKind::GruFactors, Some(weights)) => {
                let row = FactorRow::new(&session.factors()[..dims.factors()], &dims);
                weights.jvp(row, &dz, &da)
            }
            _ => {
                let state = &session.jacobian_state()[..n * n];
                let action = &session.jacobian_action()[..n * na];
                let dot = |row: &[f32], d: &[f64]| -> f64 {
                    row.iter().zip(d).map(|(&j, d)| f64::from(j) * d).sum()
                };
                (0..n)
                    .map(|i| dot(&state[i * n..][..n], &dz) + dot(&action[i * na..][..na], &da))
                    .collect()
            }
        };
        let plus = &session.mean()[(1 + 2 * index) * n..][..n];
        let minus = &session.mean()[(2 + 2 * index) * n..][..n];
        let (mut difference, mut size) = (0.0, 0.0);
        for ((&p, &m), &j) in plus.iter().zip(minus).zip(&predicted) {
            let measured = (f64::from(p) - f64::from(m)) / (2.0 * f64::from(STEP));
            difference += (measured - j).powi(2);
            size += measured.powi(2);
        }
        let relative = difference.sqrt() / size.sqrt().max(0.05);
        if relative.is_nan() || relative > JACOBIAN_TOLERANCE {
            let part = ["stochastic state", "deterministic state", "action"][index % 3];
            return Err(format!(
                "the Jacobian of dynamics.onnx differs from its finite differences by {relative:.3} along the {part}, \
                 allowed {JACOBIAN_TOLERANCE}"
            ));
        }
        worst = worst.max(relative);
    }
    Ok(worst)
}

/// Ones of either sign, always the same.
fn signs() -> impl FnMut() -> f32 {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if random >> 63 == 0 { 1.0 } else { -1.0 }
    }
}

/// A direction of unit length in a space of `len`, along the axes `part`.
fn direction(len: usize, part: std::ops::Range<usize>, sign: &mut impl FnMut() -> f32) -> Vec<f32> {
    let length = (part.len() as f32).sqrt();
    let mut direction = vec![0.0; len];
    for entry in &mut direction[part] {
        *entry = sign() / length;
    }
    direction
}

/// Central differences of the reward graph along 12 directions against its gradient. Of two distances the one that
/// agrees better counts: a reward may bend sharply, or be large and flat.
fn gradient(sessions: &Sessions, case: &GoldenCase) -> Result<f64, String> {
    const DIRECTIONS: usize = 12;
    let n = sessions.manifest.dims.state();
    let z = match case.find_input("state").map(|t| &t.data) {
        Some(GoldenData::F32(data)) if data.len() >= n => &data[..n],
        _ => return Err("golden case of reward has no input \"state\"".to_owned()),
    };
    let mut sign = signs();
    let directions: Vec<Vec<f32>> = (0..DIRECTIONS)
        .map(|_| direction(n, 0..n, &mut sign))
        .collect();
    let mut session = Reward::new(sessions, 1 + 2 * DIRECTIONS).map_err(|e| e.to_string())?;
    let mut best = f64::INFINITY;
    for step in [1e-2f32, 2e-3] {
        for (row, state) in session.state_mut().chunks_exact_mut(n).enumerate() {
            let step = match row {
                0 => 0.0,
                odd if odd % 2 == 1 => step,
                _ => -step,
            };
            let direction = &directions[row.saturating_sub(1) / 2];
            for ((to, base), along) in state.iter_mut().zip(z).zip(direction) {
                *to = base + step * along;
            }
        }
        session.run().map_err(|e| e.reason)?;
        let (mut difference, mut size) = (0.0, 0.0);
        for (index, direction) in directions.iter().enumerate() {
            let along = session.gradient()[..n].iter().zip(direction);
            let predicted: f64 = along.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            let [above, below] = [1, 2].map(|side| f64::from(session.reward()[side + 2 * index]));
            let measured = (above - below) / (2.0 * f64::from(step));
            difference += (measured - predicted).powi(2);
            size += measured.powi(2);
        }
        // Where the reward is flat, next to nothing is next to nothing.
        let relative = difference.sqrt() / size.sqrt().max(0.05);
        best = best.min(if relative.is_nan() {
            f64::INFINITY
        } else {
            relative
        });
    }
    if best > JACOBIAN_TOLERANCE {
        return Err(format!(
            "the gradient of reward.onnx differs from its finite differences by {best:.3}, allowed {JACOBIAN_TOLERANCE}"
        ));
    }
    Ok(best)
}
