//! Time of one planning iteration on a random RSSM in plain Rust, one thread. Prints one JSON line.
//!
//! `cargo run --release -p latco-solver --example step_time -- STOCH DETER HIDDEN UNITS ACTION H
//! [reduced|block_tridiagonal] [STEPS]`

use std::time::Instant;

use latco_solver::{
    BlockTridiagonal, DenseLayer, GruSizes, GruWeights, LinearSolver, Model, Multipliers, Plan,
    Reduced, Rssm, RssmWeights, Settings, Solver,
};

#[expect(clippy::print_stdout, reason = "the result of this program")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = |i: usize, default: usize| match arguments.get(i) {
        Some(text) => text.parse::<usize>(),
        None => Ok(default),
    };
    let sizes = GruSizes {
        stoch: size(0, 30)?,
        deter: size(1, 200)?,
        hidden: size(2, 200)?,
        action: size(4, 4)?,
    };
    let (units, horizon) = (size(3, 200)?, size(5, 30)?);
    let solver = arguments.get(6).map_or("reduced", String::as_str);
    let steps = size(7, 200)?;
    let times = match solver {
        "reduced" => run::<Reduced>(sizes, units, horizon, steps)?,
        "block_tridiagonal" => run::<BlockTridiagonal>(sizes, units, horizon, steps)?,
        other => return Err(format!("solver {other}: reduced or block_tridiagonal").into()),
    };
    println!(
        "{{\"solver\":\"{solver}\",\"stoch\":{},\"deter\":{},\"hidden\":{},\"units\":{units},\
         \"action\":{},\"horizon\":{horizon},\"threads\":1,\"steps\":{steps},\
         \"iteration_ms_median\":{:.4},\"iteration_ms_p99\":{:.4},\"model_ms\":{:.4},\
         \"arena_bytes\":{}}}",
        sizes.stoch,
        sizes.deter,
        sizes.hidden,
        sizes.action,
        times.median,
        times.p99,
        times.model,
        times.arena,
    );
    Ok(())
}

struct Times {
    median: f64,
    p99: f64,
    model: f64,
    arena: usize,
}

fn run<L: LinearSolver>(
    sizes: GruSizes,
    units: usize,
    horizon: usize,
    steps: usize,
) -> Result<Times, Box<dyn std::error::Error>> {
    let mut state = 1_u64;
    let mut random = |len: usize, inputs: usize| -> Vec<f32> {
        let scale = (3.0 / inputs as f32).sqrt();
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
        };
        (0..len).map(next).collect()
    };
    let GruSizes {
        stoch,
        deter,
        action,
        hidden,
    } = sizes;
    let n = stoch + deter;
    let kernels = [
        random((stoch + action) * hidden, stoch + action),
        random(hidden * 3 * deter, hidden),
        random(deter * 3 * deter, deter),
        random(deter * hidden, deter),
        random(hidden * stoch, hidden),
        random(n * units, n),
        random(units * units, units),
        random(units, units),
    ];
    let zeros = vec![0.0; hidden.max(3 * deter).max(stoch).max(units)];
    let weights = RssmWeights {
        kernels: GruWeights {
            input_kernel: &kernels[0],
            gru_input_kernel: &kernels[1],
            gru_recurrent_kernel: &kernels[2],
            prior_kernel: &kernels[3],
            mean_kernel: &kernels[4],
        },
        input_bias: &zeros[..hidden],
        gru_input_bias: &zeros[..3 * deter],
        gru_recurrent_bias: &zeros[..3 * deter],
        prior_bias: &zeros[..hidden],
        mean_bias: &zeros[..stoch],
        reward: [
            DenseLayer {
                kernel: &kernels[5],
                bias: &zeros[..units],
            },
            DenseLayer {
                kernel: &kernels[6],
                bias: &zeros[..units],
            },
            DenseLayer {
                kernel: &kernels[7],
                bias: &zeros[..1],
            },
        ],
    };
    let mut model_arena = vec![0.0; Rssm::<f32>::len(&sizes, units, horizon)];
    let mut model = Rssm::new_in(sizes, weights, horizon, &mut model_arena)?;
    let dims = model.dims();
    let arena = vec![0.0_f32; Solver::<f32, L, Vec<f32>>::len(&dims)];
    let mut solver = Solver::<f32, L, _>::new_in(dims, Settings::default(), arena)?;

    let anchor = random(n, 3);
    let (mut states, mut actions) = (random((horizon + 1) * n, 1), random(horizon * action, 1));
    let (mut lambda, mut nu) = (vec![1.0; horizon], vec![1.0; horizon]);
    let mut plan = Plan {
        anchor: &anchor,
        states: &mut states,
        actions: &mut actions,
    };
    let mut multipliers = Multipliers {
        dynamics: &mut lambda,
        actions: &mut nu,
    };
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps.max(1) {
        let start = Instant::now();
        solver.step(&mut model, &mut plan, &mut multipliers)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);

    let (mut means, mut rewards) = (vec![0.0; horizon * n], vec![0.0; horizon]);
    let mut model_times = Vec::new();
    for _ in 0..steps.max(1) {
        let start = Instant::now();
        model.linearise(&plan.states[..horizon * n], plan.actions, &mut means)?;
        model.reward(&plan.states[n..], &mut rewards, &mut means)?;
        model_times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    model_times.sort_by(f64::total_cmp);
    Ok(Times {
        median: times[times.len() / 2],
        p99: times[(times.len() * 99 / 100).min(times.len() - 1)],
        model: model_times[model_times.len() / 2],
        arena: Solver::<f32, L, Vec<f32>>::bytes(&dims)
            + Rssm::<f32>::len(&sizes, units, horizon) * 4,
    })
}
