//! The Jacobian of the prior mean in factors of the GRU's gates, and the constant weights it is applied with.
//!
//! With `x = elu([s, a] W1 + b1)`, gates u (update), r (reset), candidate c and `h' = u h + (1 - u) c`, a row of the
//! `factors` output is `[slope1 (hidden), u, Au, Ac, Acr, Ar (nd each), slope2 (hidden)]`:
//!
//! ```text
//! slope = elu'    Au = (h - c) u (1 - u)    Ac = (1 - u)(1 - c^2)    Acr = Ac r    Ar = Ac (h Whc + bhc) r (1 - r)
//! dh'/dh = diag(u) + diag(Au) Whu' + diag(Acr) Whc' + diag(Ar) Whr'
//! dh'/dx =           diag(Au) Wxu' + diag(Ac)  Wxc' + diag(Ar) Wxr'
//! dx/d[s,a] = diag(slope1) W1'         dm/dh' = W3' diag(slope2) W2'
//! ```

use crate::manifest::Dims;

/// Constant kernels of the dynamics graph, read from the constants `NAME.kernel` of its file. They are `[in, out]`
/// row-major, gates in the order update, reset, candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicsWeights {
    /// Sizes of the model.
    pub dims: Dims,
    /// W1 `[ns + na, hidden]`.
    pub input: Vec<f32>,
    /// Wx `[hidden, 3 nd]`.
    pub gru_input: Vec<f32>,
    /// Wh `[nd, 3 nd]`.
    pub gru_recurrent: Vec<f32>,
    /// W2 `[nd, hidden]`.
    pub prior: Vec<f32>,
    /// W3 `[hidden, ns]`.
    pub prior_mean: Vec<f32>,
}

/// A row of the `factors` output, split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactorRow<'a> {
    /// `elu'` of the input layer `[hidden]`.
    pub slope1: &'a [f32],
    /// Update gate `[nd]`.
    pub u: &'a [f32],
    /// `(h - c) u (1 - u)` `[nd]`.
    pub au: &'a [f32],
    /// `(1 - u)(1 - c^2)` `[nd]`.
    pub ac: &'a [f32],
    /// `ac r` `[nd]`.
    pub acr: &'a [f32],
    /// `ac (h Whc + bhc) r (1 - r)` `[nd]`.
    pub ar: &'a [f32],
    /// `elu'` of the prior layer `[hidden]`.
    pub slope2: &'a [f32],
}

impl<'a> FactorRow<'a> {
    /// Splits one row.
    ///
    /// # Panics
    /// If `row` is not `2 hidden + 5 nd` long.
    pub fn new(row: &'a [f32], dims: &Dims) -> Self {
        assert_eq!(row.len(), dims.factors(), "length of a row of factors");
        let (slope1, rest) = row.split_at(dims.hidden);
        let (u, rest) = rest.split_at(dims.deter);
        let (au, rest) = rest.split_at(dims.deter);
        let (ac, rest) = rest.split_at(dims.deter);
        let (acr, rest) = rest.split_at(dims.deter);
        let (ar, slope2) = rest.split_at(dims.deter);
        Self {
            slope1,
            u,
            au,
            ac,
            acr,
            ar,
            slope2,
        }
    }
}

impl DynamicsWeights {
    /// `d mu` for a change `dz` `[n]` of the state and `da` `[na]` of the action, in f64: the reference that
    /// the finite differences at load and tests compare with.
    ///
    /// # Panics
    /// If a length does not fit the sizes.
    pub fn jvp(&self, row: FactorRow<'_>, dz: &[f64], da: &[f64]) -> Vec<f64> {
        let Dims { stoch, deter, .. } = self.dims;
        assert_eq!((dz.len(), da.len()), (stoch + deter, self.dims.action));
        let (ds, dh) = dz.split_at(stoch);
        let input: Vec<f64> = ds.iter().chain(da).copied().collect();
        let mut dx = product(&input, &self.input, self.dims.hidden);
        scale(&mut dx, row.slope1);
        let gx = product(&dx, &self.gru_input, 3 * deter);
        let gh = product(dh, &self.gru_recurrent, 3 * deter);
        let next: Vec<f64> = (0..deter)
            .map(|i| {
                let (u, r, c) = (i, deter + i, 2 * deter + i);
                f64::from(row.u[i]) * dh[i]
                    + f64::from(row.au[i]) * (gx[u] + gh[u])
                    + f64::from(row.ac[i]) * gx[c]
                    + f64::from(row.acr[i]) * gh[c]
                    + f64::from(row.ar[i]) * (gx[r] + gh[r])
            })
            .collect();
        let mut de = product(&next, &self.prior, self.dims.hidden);
        scale(&mut de, row.slope2);
        let mut out = product(&de, &self.prior_mean, stoch);
        out.extend(next);
        out
    }
}

fn product(x: &[f64], kernel: &[f32], columns: usize) -> Vec<f64> {
    assert_eq!(kernel.len(), x.len() * columns, "size of a kernel");
    let mut y = vec![0.0; columns];
    for (x, row) in x.iter().zip(kernel.chunks_exact(columns)) {
        for (y, &w) in y.iter_mut().zip(row) {
            *y += x * f64::from(w);
        }
    }
    y
}

fn scale(x: &mut [f64], by: &[f32]) {
    for (x, &s) in x.iter_mut().zip(by) {
        *x *= f64::from(s);
    }
}
