//! iLQR: a linear-quadratic regulator round the last rollout, again and again (Tassa et al. 2012).
//!
//! The cost is LatCo's sum of squares of `rho = softplus(-r)`; its Hessian is that of Gauss-Newton,
//! `g g'` with `g = d rho / dz`, as the model gives first derivatives. Actions are clipped in the
//! forward pass.

use latco_controller::SetupError;
use latco_controller::config::Config;
use latco_controller::plan::{Goal, Noise, PlanRequest, PlanSizes, Quantum, Shift, StopCause};
use latco_controller::trace::IterationTrace;
use latco_models::Bundle;

use crate::method::Method;
use crate::unrolled::Unrolled;

/// First and least regulariser of Quu: small beside the squared slopes of a reward that is seen.
const REGULARISATION: f64 = 1e-3;
/// Largest regulariser of Quu; beyond it steps are too small to be of use, and the plan counts as stalled.
const LARGEST_REGULARISATION: f64 = 1e6;
/// Number of step sizes that are tried: 1, 1/2, 1/4, down to 1/128.
const LINE_SEARCH_STEPS: u32 = 8;
/// Share of the cost below which a fall counts as convergence.
const CONVERGED: f64 = 1e-6;

/// The method iLQR: it sweeps backward for gains, and forward with a line search.
pub struct Ilqr {
    sizes: PlanSizes,
    action_limit: f32,
    unrolled: Unrolled,
    noise: Noise,
    regularisation: f64,
    /// Cost of the last rollout that was accepted; `None` before the first.
    cost: Option<f64>,
    /// Actions of that rollout, `[H, na]`.
    actions: Vec<f32>,
    /// States of that rollout, `[H + 1, n]`.
    states: Vec<f32>,
    /// Actions that the forward pass tries, `[H, na]`.
    trial: Vec<f32>,
    sweep: Sweep,
}

/// Memory of the backward pass; all matrices by rows.
pub(crate) struct Sweep {
    n: usize,
    na: usize,
    /// Open-loop changes k, `[H, na]`.
    changes: Vec<f32>,
    /// Gains K, `[H, na, n]`.
    gains: Vec<f32>,
    /// Gradient of the cost to go, `[n]`, and its Hessian, `[n, n]`.
    value_gradient: Vec<f32>,
    value: Vec<f32>,
    /// Jacobians F `[n, n]` and B `[n, na]`.
    state_jacobian: Vec<f32>,
    action_jacobian: Vec<f32>,
    /// Products V F `[n, n]` and V B `[n, na]`.
    value_state: Vec<f32>,
    value_action: Vec<f32>,
    /// Terms Qu `[na]`, Quu `[na, na]`, its factor, and Quz `[na, n]`.
    q_action: Vec<f32>,
    quu: Vec<f32>,
    factor: Vec<f32>,
    quz: Vec<f32>,
}

impl Sweep {
    pub(crate) fn new(n: usize, na: usize, horizon: usize) -> Self {
        let zeros = |len: usize| vec![0.0; len];
        Self {
            n,
            na,
            changes: zeros(horizon * na),
            gains: zeros(horizon * na * n),
            value_gradient: zeros(n),
            value: zeros(n * n),
            state_jacobian: zeros(n * n),
            action_jacobian: zeros(n * na),
            value_state: zeros(n * n),
            value_action: zeros(n * na),
            q_action: zeros(na),
            quu: zeros(na * na),
            factor: zeros(na * na),
            quz: zeros(na * n),
        }
    }

    /// Begins after the last step, where nothing is to be paid any more.
    pub(crate) fn begin(&mut self) {
        self.value_gradient.fill(0.0);
        self.value.fill(0.0);
    }

    /// The memory for F and B of the next step.
    pub(crate) fn jacobians(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.state_jacobian, &mut self.action_jacobian)
    }

    /// Adds the cost `rho^2 / 2` of a state, `gradient` being that of rho, `[n]`.
    pub(crate) fn pay(&mut self, rho: f32, gradient: impl Iterator<Item = f32> + Clone) {
        for (sum, g) in self.value_gradient.iter_mut().zip(gradient.clone()) {
            *sum += rho * g;
        }
        for (row, g) in self.value.chunks_exact_mut(self.n).zip(gradient.clone()) {
            for (sum, other) in row.iter_mut().zip(gradient.clone()) {
                *sum += g * other;
            }
        }
    }

    /// Goes back over step `t`, whose Jacobians were written: computes its gains and the cost to go before
    /// it. Returns false when Quu is not positive definite.
    pub(crate) fn step_back(&mut self, t: usize, regularisation: f32) -> bool {
        let (n, na) = (self.n, self.na);
        let (f, b) = (&self.state_jacobian, &self.action_jacobian);
        multiply(&self.value, f, &mut self.value_state, n, n, n);
        multiply(&self.value, b, &mut self.value_action, n, n, na);
        transposed_multiply(b, &self.value_gradient, &mut self.q_action, n, na, 1);
        transposed_multiply(b, &self.value_action, &mut self.quu, n, na, na);
        transposed_multiply(b, &self.value_state, &mut self.quz, n, na, n);

        self.factor.copy_from_slice(&self.quu);
        for i in 0..na {
            self.factor[i * na + i] += regularisation;
        }
        if !factorise(&mut self.factor, na) {
            return false;
        }
        let change = &mut self.changes[t * na..][..na];
        for (change, q) in change.iter_mut().zip(&self.q_action) {
            *change = -q;
        }
        solve(&self.factor, na, change, 1);
        let gain = &mut self.gains[t * na * n..][..na * n];
        for (gain, q) in gain.iter_mut().zip(&self.quz) {
            *gain = -q;
        }
        solve(&self.factor, na, gain, n);

        // V_z = F'v + K'(Quu k + Qu) + Quz'k
        let next = &mut self.value_state; // V F is needed once more, for F'V F
        transposed_square(f, next, &mut self.value, n);
        transposed_multiply(f, &self.value_gradient, next, n, n, 1);
        self.value_gradient.copy_from_slice(&next[..n]);
        for i in 0..na {
            let quu_k: f32 = (0..na).map(|j| self.quu[i * na + j] * change[j]).sum();
            let pull = quu_k + self.q_action[i];
            for (z, sum) in self.value_gradient.iter_mut().enumerate() {
                *sum += gain[i * n + z] * pull + self.quz[i * n + z] * change[i];
            }
        }
        // V_zz = F'V F + K'Quu K + K'Quz + Quz'K
        for i in 0..na {
            for z in 0..n {
                let quu_gain: f32 = (0..na)
                    .map(|j| self.quu[i * na + j] * gain[j * n + z])
                    .sum();
                next[i * n + z] = quu_gain + self.quz[i * n + z];
            }
        }
        for i in 0..na {
            for z in 0..n {
                let (k, q) = (gain[i * n + z], self.quz[i * n + z]);
                let row = &mut self.value[z * n..][..n];
                for (y, sum) in row.iter_mut().enumerate() {
                    *sum += k * next[i * n + y] + q * gain[i * n + y];
                }
            }
        }
        true
    }

    /// The open-loop change k of step `t`, `[na]`.
    pub(crate) fn change(&self, t: usize) -> &[f32] {
        &self.changes[t * self.na..][..self.na]
    }

    /// The gains K of step `t`, `[na, n]`.
    pub(crate) fn gain(&self, t: usize) -> &[f32] {
        &self.gains[t * self.na * self.n..][..self.na * self.n]
    }
}

/// Computes C = A B for A `[m, k]` and B `[k, n]`.
fn multiply(a: &[f32], b: &[f32], c: &mut [f32], m: usize, k: usize, n: usize) {
    for (a, c) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)).take(m) {
        c.fill(0.0);
        for (a, b) in a.iter().zip(b.chunks_exact(n)) {
            for (c, b) in c.iter_mut().zip(b) {
                *c += a * b;
            }
        }
    }
}

/// Computes C = A' B for A `[k, m]` and B `[k, n]`.
fn transposed_multiply(a: &[f32], b: &[f32], c: &mut [f32], k: usize, m: usize, n: usize) {
    c[..m * n].fill(0.0);
    for (a, b) in a.chunks_exact(m).zip(b.chunks_exact(n)).take(k) {
        for (a, c) in a.iter().zip(c.chunks_exact_mut(n)) {
            for (c, b) in c.iter_mut().zip(b) {
                *c += a * b;
            }
        }
    }
}

/// Computes C = A' B, all `[n, n]`.
fn transposed_square(a: &[f32], b: &[f32], c: &mut [f32], n: usize) {
    transposed_multiply(a, b, c, n, n, n);
}

/// Factorises in place, by Cholesky, the lower half of `a` `[n, n]`; returns false when it is not positive
/// definite.
fn factorise(a: &mut [f32], n: usize) -> bool {
    for i in 0..n {
        for j in 0..=i {
            let sum: f32 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - sum;
            if i == j {
                if !(rest.is_finite() && rest > 0.0) {
                    return false;
                }
                a[i * n + i] = rest.sqrt();
            } else {
                a[i * n + j] = rest / a[j * n + j];
            }
        }
    }
    true
}

/// Solves with such a factor `[n, n]`, in place, for the columns of `b` `[n, columns]`.
fn solve(factor: &[f32], n: usize, b: &mut [f32], columns: usize) {
    for c in 0..columns {
        for i in 0..n {
            let sum: f32 = (0..i).map(|k| factor[i * n + k] * b[k * columns + c]).sum();
            b[i * columns + c] = (b[i * columns + c] - sum) / factor[i * n + i];
        }
        for i in (0..n).rev() {
            let sum: f32 = (i + 1..n)
                .map(|k| factor[k * n + i] * b[k * columns + c])
                .sum();
            b[i * columns + c] = (b[i * columns + c] - sum) / factor[i * n + i];
        }
    }
}

/// The residual rho and its derivative with respect to r.
fn residual(r: f32) -> (f32, f32) {
    let rho = (-r).max(0.0) + (-r.abs()).exp().ln_1p();
    (rho, -1.0 / (1.0 + r.exp()))
}

impl Method for Ilqr {
    const VALUE_EVERY: u32 = 1;

    fn new(config: &Config, bundle: &Bundle, sizes: &PlanSizes) -> Result<Self, SetupError> {
        let (h, n, na) = (sizes.horizon, sizes.state, sizes.action);
        Ok(Self {
            regularisation: REGULARISATION,
            sizes: *sizes,
            action_limit: bundle.manifest().action.limit,
            unrolled: Unrolled::new(bundle, sizes)?,
            noise: Noise::new(config.planner.seed),
            cost: None,
            actions: vec![0.0; h * na],
            states: vec![0.0; (h + 1) * n],
            trial: vec![0.0; h * na],
            sweep: Sweep::new(n, na, h),
        })
    }

    fn start(&mut self, _request: &PlanRequest<'_>, shift: Option<Shift>) {
        self.cost = None;
        self.regularisation = REGULARISATION;
        if let Some(shift) = shift {
            shift.apply(&mut self.actions, self.sizes.action);
        } else {
            let limit = self.action_limit;
            self.noise.fill_uniform(&mut self.actions, limit);
        }
    }

    fn set_goal(&mut self, goal: Option<&Goal>) {
        self.unrolled.set_goal(goal);
    }

    fn actions(&self) -> &[f32] {
        &self.actions
    }

    fn improve(
        &mut self,
        state: &[f32],
        figures: &mut IterationTrace,
        quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause> {
        let failed = |_| StopCause::ModelFailed;
        let before = match self.cost {
            Some(cost) => cost,
            None => {
                (self.unrolled.roll(state, &self.actions)).map_err(failed)?;
                self.states.copy_from_slice(self.unrolled.states_mut());
                self.total()?
            }
        };
        while !self.sweep_back(quantum)? {
            self.raise_regularisation()?;
        }
        let mut share = 1.0;
        for _ in 0..LINE_SEARCH_STEPS {
            self.try_forward(state, share, quantum)?;
            let cost = self.total()?;
            if cost < before {
                self.actions.copy_from_slice(&self.trial);
                self.states.copy_from_slice(self.unrolled.states_mut());
                self.cost = Some(cost);
                self.regularisation = (0.5 * self.regularisation).max(REGULARISATION);
                figures.planned_reward = self.unrolled.rewards().iter().sum();
                return if before - cost < CONVERGED * before {
                    Err(StopCause::Converged)
                } else {
                    Ok(())
                };
            }
            share *= 0.5;
        }
        // Nothing was better: the derivatives are wanted at the old actions again.
        give_up_if_over(quantum)?;
        (self.unrolled.roll(state, &self.actions)).map_err(failed)?;
        self.cost = Some(before);
        figures.planned_reward = self.unrolled.rewards().iter().sum();
        self.raise_regularisation()
    }

    fn reset(&mut self, seed: u64) {
        self.noise = Noise::new(seed);
    }
}

impl Ilqr {
    /// The cost of the states that were linearised last.
    fn total(&self) -> Result<f64, StopCause> {
        let rewards = self.unrolled.rewards().iter();
        let cost: f64 = rewards
            .map(|&r| 0.5 * f64::from(residual(r).0).powi(2))
            .sum();
        if cost.is_finite() {
            Ok(cost)
        } else {
            Err(StopCause::NonFinite)
        }
    }

    fn raise_regularisation(&mut self) -> Result<(), StopCause> {
        self.regularisation *= 2.0;
        if self.regularisation > LARGEST_REGULARISATION {
            return Err(StopCause::Stalled);
        }
        Ok(())
    }

    /// Computes the gains along the last accepted rollout; returns false when a Quu is not positive definite.
    fn sweep_back(&mut self, quantum: &mut Quantum<'_>) -> Result<bool, StopCause> {
        self.sweep.begin();
        for t in (0..self.sizes.horizon).rev() {
            give_up_if_over(quantum)?;
            let (rho, slope) = residual(self.unrolled.rewards()[t]);
            let gradient = self.unrolled.gradient(t).iter().map(|g| slope * g);
            self.sweep.pay(rho, gradient);
            let (state, action) = self.sweep.jacobians();
            self.unrolled.jacobian(t, state, action);
            if !self.sweep.step_back(t, self.regularisation as f32) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Rolls out with the gains and a share of the open-loop changes, and linearises there.
    fn try_forward(
        &mut self,
        state: &[f32],
        share: f32,
        quantum: &mut Quantum<'_>,
    ) -> Result<(), StopCause> {
        let (n, na) = (self.sizes.state, self.sizes.action);
        self.unrolled.states_mut()[..n].copy_from_slice(state);
        for t in 0..self.sizes.horizon {
            give_up_if_over(quantum)?;
            let old = &self.states[t * n..][..n];
            let new = &self.unrolled.states_mut()[t * n..][..n];
            let gain = self.sweep.gain(t).chunks_exact(n);
            let action = &mut self.trial[t * na..][..na];
            for (((action, old_action), change), gain) in action
                .iter_mut()
                .zip(&self.actions[t * na..])
                .zip(self.sweep.change(t))
                .zip(gain)
            {
                let moved = new.iter().zip(old).map(|(new, old)| new - old);
                let feedback: f32 = gain.iter().zip(moved).map(|(k, dz)| k * dz).sum();
                *action = (old_action + share * change + feedback)
                    .clamp(-self.action_limit, self.action_limit);
            }
            (self.unrolled.step(t, &self.trial[t * na..][..na]))
                .map_err(|_| StopCause::ModelFailed)?;
        }
        give_up_if_over(quantum)?;
        (self.unrolled.linearise(&self.trial)).map_err(|_| StopCause::ModelFailed)
    }
}

/// Ends the iteration where there is no time for more of it.
fn give_up_if_over(quantum: &mut Quantum<'_>) -> Result<(), StopCause> {
    if quantum.is_over() {
        return Err(StopCause::TimeBudget);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a linear system and residuals that are linear in the state, one sweep with next to no
    /// regulariser reaches the least cost, which a dense solve of the same least squares gives.
    #[test]
    fn on_a_linear_quadratic_problem_one_sweep_is_the_optimum() {
        let (n, na, h) = (4, 1, 6);
        let wave = |i: usize, f: f32| (i as f32 * f + 0.3).sin();
        let f: Vec<f32> = (0..n * n)
            .map(|i| 0.4 * wave(i, 1.7) + if i % (n + 1) == 0 { 0.6 } else { 0.0 })
            .collect();
        let b = [0.8f32, -0.5, 0.0, 0.0];
        // No action reaches the residual at its own end: the least cost is not 0.
        let g = [0.0f32, 0.0, 0.7, -0.9];
        // rho_t = offset_t + g' z_t, t = 1..H, from z_0 = 0
        let offset: Vec<f32> = (0..h).map(|t| 1.0 + 0.5 * wave(t, 2.1)).collect();

        let mut sweep = Sweep::new(n, na, h);
        sweep.begin();
        for t in (0..h).rev() {
            sweep.pay(offset[t], g.iter().copied());
            let (state, action) = sweep.jacobians();
            state.copy_from_slice(&f);
            action.copy_from_slice(&b);
            assert!(sweep.step_back(t, 1e-6));
        }
        let step = |z: &[f32], a: f32| -> Vec<f32> {
            (0..n)
                .map(|i| (0..n).map(|j| f[i * n + j] * z[j]).sum::<f32>() + b[i] * a)
                .collect()
        };
        let rho = |t: usize, z: &[f32]| offset[t] + (0..n).map(|i| g[i] * z[i]).sum::<f32>();
        let (mut z, mut cost) = (vec![0.0; n], 0.0);
        for t in 0..h {
            let feedback: f32 = sweep.gain(t).iter().zip(&z).map(|(k, z)| k * z).sum();
            z = step(&z, sweep.change(t)[0] + feedback);
            cost += rho(t, &z).powi(2);
        }

        let mut jacobian = nalgebra::DMatrix::<f64>::zeros(h, h);
        for column in 0..h {
            let mut z = vec![0.0; n];
            for t in 0..h {
                z = step(&z, if t == column { 1.0 } else { 0.0 });
                jacobian[(t, column)] = f64::from(rho(t, &z) - offset[t]);
            }
        }
        let offset = nalgebra::DVector::from_iterator(h, offset.iter().map(|o| f64::from(*o)));
        let best = jacobian
            .clone()
            .svd(true, true)
            .solve(&-&offset, 1e-9)
            .unwrap();
        let least = (offset + jacobian * best).norm_squared();
        assert!(least > 0.5, "{least}");
        assert!(
            (f64::from(cost) - least).abs() < 1e-3 * least,
            "{cost} {least}"
        );
    }

    /// With a quadratic cost of full rank in every step, gains and cost to go are those of the discrete
    /// Riccati recursion `P = Q + F'PF - F'PB (B'PB)^-1 B'PF`, step by step back from the end.
    #[test]
    fn gains_and_cost_to_go_are_those_of_the_riccati_recursion() {
        let (n, na, h) = (4, 2, 10);
        let wave = |i: usize, f: f32| (i as f32 * f + 0.3).sin();
        let f: Vec<f32> = (0..n * n)
            .map(|i| 0.3 * wave(i, 1.7) + if i % (n + 1) == 0 { 0.8 } else { 0.0 })
            .collect();
        let b: Vec<f32> = (0..n * na).map(|i| wave(i, 2.3)).collect();
        // Residuals z_i weight_i - target_i, as many as there are states.
        let weights = [1.0f32, 0.5, 2.0, 0.7];
        let targets = [0.4f32, -1.0, 0.2, 0.8];

        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let big_f = nalgebra::DMatrix::from_row_slice(n, n, &wide(&f));
        let big_b = nalgebra::DMatrix::from_row_slice(n, na, &wide(&b));
        let root = nalgebra::DVector::from_row_slice(&wide(&weights));
        let q = nalgebra::DMatrix::from_diagonal(&root.component_mul(&root));
        let pull = -root.component_mul(&nalgebra::DVector::from_row_slice(&wide(&targets)));
        let mut p = nalgebra::DMatrix::<f64>::zeros(n, n);
        let mut linear = nalgebra::DVector::<f64>::zeros(n);

        let mut sweep = Sweep::new(n, na, h);
        sweep.begin();
        for t in (0..h).rev() {
            // Round z = 0, where each residual is minus its target.
            for i in 0..n {
                let gradient = (0..n).map(|j| if i == j { weights[i] } else { 0.0 });
                sweep.pay(-targets[i], gradient);
            }
            let (state, action) = sweep.jacobians();
            state.copy_from_slice(&f);
            action.copy_from_slice(&b);
            assert!(sweep.step_back(t, 0.0));

            p += &q;
            linear += &pull;
            let inverse = (big_b.tr_mul(&p) * &big_b).try_inverse().unwrap();
            let gain = -&inverse * big_b.tr_mul(&p) * &big_f;
            let change = -&inverse * big_b.tr_mul(&linear);
            let closed = &big_f + &big_b * &gain;
            linear = closed.tr_mul(&linear);
            p = big_f.tr_mul(&p) * &closed;
            let close = |found: &[f32], expected: &nalgebra::DMatrix<f64>| {
                let rows = expected.transpose();
                let scale = expected.amax().max(1e-3);
                (found.iter().zip(rows.iter()))
                    .all(|(found, e)| (f64::from(*found) - e).abs() < 1e-3 * scale)
            };
            assert!(close(sweep.gain(t), &gain), "step {t}: {gain}");
            let change = nalgebra::DMatrix::from_column_slice(na, 1, change.as_slice());
            assert!(close(sweep.change(t), &change), "step {t}: {change}");
            assert!(close(&sweep.value, &p), "step {t}: {p}");
        }
    }

    #[test]
    fn an_indefinite_matrix_is_not_factorised() {
        let mut a = [1.0, 2.0, 2.0, 1.0];
        assert!(!factorise(&mut a, 2));
        let mut a = [4.0, 2.0, 2.0, 3.0];
        assert!(factorise(&mut a, 2));
        let mut b = [2.0, 5.0];
        solve(&a, 2, &mut b, 1);
        // 4 x + 2 y = 2, 2 x + 3 y = 5
        assert!(
            (b[0] + 0.5).abs() < 1e-6 && (b[1] - 2.0).abs() < 1e-6,
            "{b:?}"
        );
    }
}
