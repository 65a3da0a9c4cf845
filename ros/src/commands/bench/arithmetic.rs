//! The least multiply-adds of one LatCo iteration, with which its time is compared.
//!
//! Counted are the products; additions, gates and activations are not. With `ns + nd = n` for the
//! state, `W` for the dense layers' width (`hidden`), `U` for the reward head's (`units`), `na`
//! actions and `H` steps:
//!
//! - **model**: every weight of the dynamics once a step, those of the reward head twice (value
//!   and gradient).
//! - **adjoint and tangent products**: step `t` of the adjoint recursion has `k = H - t` columns,
//!   and the tangent pass is one column more: `c = k + 1`. Each of the four products of a step is
//!   done in the cheaper of two orders, in factors or with the matrix formed once for the step:
//!
//! | product | in factors | formed |
//! |---|---|---|
//! | mean `dm/dh'` | `c (ns W + W nd)` | `ns W nd + c ns nd` |
//! | recurrence `dh'/dh` (not at t = 0) | `3 c nd^2` | `3 nd^2 + c nd^2` |
//! | GRU input `dh'/dx` | `3 c nd W` | `3 nd W + c nd W` |
//! | input layer `dx/d[s, a]` (only `a` at t = 0) | `c W (ns + na)` | |
//!
//!   (at t = 0 the state is fixed: only the action's derivative is asked for).
//! - **H x H system**: `k (k + 1) / 2 (n + na)` a step for the matrix, `k (n + na)` each for its
//!   right-hand side and for the way back, `H^3 / 6 + H^2` for its solution.
//!
//! Other orders with fewer products may exist (low rank of the gradients, for one); the ratio says
//! how far an iteration is from a machine that does nothing but these products at its best rate.

use super::sizes::Sizes;

/// The least number of multiply-adds of one iteration of one plan.
pub(super) fn least_multiply_adds(sizes: &Sizes) -> u64 {
    let &Sizes {
        stoch,
        deter,
        hidden,
        units,
        action,
        horizon,
    } = sizes;
    let [ns, nd, w, u, na, h] = [stoch, deter, hidden, units, action, horizon].map(|x| x as u64);
    let n = ns + nd;

    let dynamics = (ns + na) * w + 3 * nd * w + 3 * nd * nd + nd * w + w * ns;
    let reward = n * u + u * u + u;
    let model = h * (dynamics + 2 * reward);

    let products: u64 = (0..h)
        .map(|t| {
            let c = h - t + 1;
            let mean = (c * (ns * w + w * nd)).min(ns * w * nd + c * ns * nd);
            let recurrence = (3 * c * nd * nd).min(3 * nd * nd + c * nd * nd);
            let gru_input = (3 * c * nd * w).min(3 * nd * w + c * nd * w);
            let input = if t == 0 { na } else { ns + na };
            let recurrence = if t == 0 { 0 } else { recurrence };
            mean + recurrence + gru_input + c * w * input
        })
        .sum();

    let system: u64 = (1..=h)
        .map(|k| (k * (k + 1) / 2 + 2 * k) * (n + na))
        .sum::<u64>()
        + h * h * h / 6
        + h * h;

    model + products + system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planet_s_sizes_take_about_88_million() {
        let count = least_multiply_adds(&Sizes::PLANET);
        assert!((80_000_000..96_000_000).contains(&count), "{count}");
    }

    #[test]
    fn one_step_counted_by_hand() {
        let sizes = Sizes {
            stoch: 2,
            deter: 3,
            hidden: 5,
            units: 7,
            action: 1,
            horizon: 1,
        };
        let model = (3 * 5 + 3 * 3 * 5 + 3 * 9 + 3 * 5 + 5 * 2) + 2 * (5 * 7 + 49 + 7);
        // two columns: formed once for the step is cheaper (in factors: 50 and 90)
        let mean = 2 * 5 * 3 + 2 * 2 * 3;
        let gru_input = 3 * 15 + 2 * 15;
        let system = 3 * 6 + 1;
        let expected = model + mean + gru_input + 2 * 5 + system;
        assert_eq!(least_multiply_adds(&sizes), expected as u64);
    }

    #[test]
    fn grows_with_every_size() {
        let base = least_multiply_adds(&Sizes::PLANET);
        let grown = |change: fn(&mut Sizes)| {
            let mut sizes = Sizes::PLANET;
            change(&mut sizes);
            least_multiply_adds(&sizes)
        };
        assert!(grown(|s| s.stoch += 1) > base);
        assert!(grown(|s| s.deter += 1) > base);
        assert!(grown(|s| s.hidden += 1) > base);
        assert!(grown(|s| s.units += 1) > base);
        assert!(grown(|s| s.action += 1) > base);
        assert!(grown(|s| s.horizon += 1) > base);
    }
}
