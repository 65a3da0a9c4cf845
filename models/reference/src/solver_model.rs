//! A model as the solver takes it.

use std::convert::Infallible;

use latco_solver::{
    Crew, Cut, Dims, GruFactors, GruJacobian, GruSizes, GruWeights, Model, Predictions, Scalar,
    SetupError, Shape, Slab, Trajectories,
};
use ndarray::{Array2, ArrayView2, NdFloat};

use crate::layers::Mlp;
use crate::reward::head;
use crate::step::prior;
use crate::weights::PriorStep;

/// A prior step with a GRU and a reward head, which a solver plans with: the Jacobian is applied from the gate factors,
/// as on a robot.
pub struct SolverModel<S> {
    step: PriorStep<S>,
    reward: Mlp<S>,
    dims: Dims,
    plans: usize,
    jacobian: GruJacobian<S, Vec<S>>,
    /// `[N, H, factors]` of the last linearisation.
    factors: Vec<S>,
}

impl<S: Scalar + NdFloat> SolverModel<S> {
    /// A model for plans of this shape, of whose sizes only the horizon counts.
    ///
    /// # Errors
    /// A size is 0 (also that of a missing GRU), or a kernel has the wrong length.
    pub fn new(step: PriorStep<S>, reward: Mlp<S>, shape: &Shape) -> Result<Self, SetupError> {
        let (horizon, plans, parts) = (shape.dims.horizon, shape.plans, shape.parts);
        let sizes = sizes(&step);
        let flat = |kernel: &Array2<S>| kernel.iter().copied().collect::<Vec<S>>();
        let [input, prior, prior_mean] =
            [&step.input, &step.prior, &step.prior_mean].map(|layer| flat(&layer.kernel));
        let [gru_input, gru_recurrent] = match &step.gru {
            Some(gru) => [&gru.input, &gru.recurrent].map(|layer| flat(&layer.kernel)),
            None => [Vec::new(), Vec::new()],
        };
        let weights = GruWeights {
            input: &input,
            gru_input: &gru_input,
            gru_recurrent: &gru_recurrent,
            prior: &prior,
            prior_mean: &prior_mean,
        };
        let len = GruJacobian::<S, Vec<S>>::len(&sizes, plans, horizon, parts);
        // The solver's memory may hold anything before it is used.
        let arena = vec![S::from_f64(f64::NAN); len];
        Ok(Self {
            jacobian: GruJacobian::new_in(sizes, &weights, plans, horizon, parts, arena)?,
            factors: vec![S::ZERO; plans * horizon * sizes.factors()],
            dims: Dims {
                stoch: sizes.stoch,
                deter: sizes.deter,
                action: sizes.action,
                horizon,
            },
            plans,
            step,
            reward,
        })
    }

    /// Gate factors of the last linearisation, `[N, H, 2 hidden + 5 nd]`.
    pub fn factors(&self) -> &[S] {
        &self.factors
    }
}

fn sizes<S: NdFloat>(step: &PriorStep<S>) -> GruSizes {
    let dims = step.dims(0);
    GruSizes {
        stoch: dims.stoch,
        deter: dims.deter,
        action: dims.action,
        hidden: dims.hidden,
    }
}

fn matrix<S>(data: &[S], rows: usize, columns: usize) -> ArrayView2<'_, S> {
    ArrayView2::from_shape((rows, columns), data)
        .expect("the solver gives arrays of the model's sizes")
}

impl<S: Scalar + NdFloat> Model<S> for SolverModel<S> {
    type Error = Infallible;

    fn dims(&self) -> Dims {
        self.dims
    }

    fn plans(&self) -> usize {
        self.plans
    }

    fn cut(&self, _parts: usize) -> Cut {
        self.jacobian.cut()
    }

    fn evaluate<C: Crew>(
        &mut self,
        _crew: &mut C,
        plans: &Trajectories<'_, S>,
        predictions: &mut Predictions<'_, S>,
    ) -> Result<(), Infallible> {
        let dims = self.dims;
        let (h, n) = (dims.horizon, dims.state());
        for b in 0..self.plans {
            let states = &plans.states[b * dims.states_len()..][..dims.states_len()];
            let actions = &plans.actions[b * dims.actions_len()..][..dims.actions_len()];
            let made = prior(
                &self.step,
                matrix(&states[..h * n], h, n),
                matrix(actions, h, dims.action),
            );
            let (rewards, gradients) = head(&self.reward, matrix(&states[n..], h, n));
            let copy = |to: &mut [S], from: &mut dyn Iterator<Item = &S>| {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            };
            let rows = b * h * n..(b + 1) * h * n;
            copy(&mut predictions.means[rows.clone()], &mut made.mean.iter());
            copy(&mut predictions.gradients[rows], &mut gradients.iter());
            copy(&mut predictions.rewards[b * h..][..h], &mut rewards.iter());
            let len = made.factors.len();
            copy(
                &mut self.factors[b * len..][..len],
                &mut made.factors.iter(),
            );
        }
        Ok(())
    }

    fn transpose_product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        slabs: &mut [Slab<'_, S>],
        actions: &mut [S],
    ) {
        let factors = GruFactors {
            rows: &self.factors,
            horizon: self.dims.horizon,
        };
        self.jacobian
            .transpose_product(crew, factors, t, slabs, actions);
    }

    fn product<C: Crew>(
        &mut self,
        crew: &mut C,
        t: usize,
        states: &[S],
        actions: &[S],
        out: &mut [S],
    ) {
        let factors = GruFactors {
            rows: &self.factors,
            horizon: self.dims.horizon,
        };
        self.jacobian
            .product(crew, factors, t, states, actions, out);
    }

    fn jacobian(&mut self, b: usize, t: usize, state: &mut [S], action: &mut [S]) {
        let factors = GruFactors {
            rows: &self.factors,
            horizon: self.dims.horizon,
        };
        self.jacobian.jacobian(factors, b, t, state, action);
    }
}
