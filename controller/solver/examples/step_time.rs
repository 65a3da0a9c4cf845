//! Time of one planning iteration on a random RSSM in plain Rust, one thread. Prints one JSON line.
//!
//! `cargo run --release -p latco-solver --example step_time -- STOCH DETER HIDDEN UNITS ACTION H
//! [reduced|block_tridiagonal] [STEPS]`

use std::time::Instant;

use latco_solver::{
    Alone, BlockTridiagonal, DenseLayer, Dims, GruSizes, GruWeights, LinearSolver, Multipliers,
    Plan, Reduced, Rssm, RssmWeights, Settings, Shape, Solver,
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
         \"iteration_ms_median\":{:.4},\"min\":{:.4},\"iteration_ms_p99\":{:.4},\"model_ms\":{:.4},\
         \"arena_bytes\":{}}}",
        sizes.stoch,
        sizes.deter,
        sizes.hidden,
        sizes.action,
        times.median,
        times.min,
        times.p99,
        times.model,
        times.arena,
    );
    Ok(())
}

struct Times {
    min: f64,
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
    let shape = Shape::of(Dims {
        stoch,
        deter,
        action,
        horizon,
    });
    let mut model_arena = vec![0.0; Rssm::<f32>::len(&sizes, units, &shape)];
    let mut model = Rssm::new_in(sizes, weights, &shape, &mut model_arena)?;
    let arena = vec![0.0_f32; Solver::<f32, L, Vec<f32>>::len(&shape)];
    let mut solver = Solver::<f32, L, _>::new_in(shape, Settings::default(), arena)?;

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
    let (mut proposing, mut accepting) = (Vec::new(), Vec::new());
    for _ in 0..steps.max(1) {
        let start = Instant::now();
        solver.propose(&mut model, &mut Alone, &mut plan, &multipliers)?;
        let middle = Instant::now();
        solver.accept(&mut model, &mut Alone, &mut plan, &mut multipliers)?;
        proposing.push((middle - start).as_secs_f64() * 1e3);
        accepting.push(middle.elapsed().as_secs_f64() * 1e3);
    }
    let mut times: Vec<f64> = proposing
        .iter()
        .zip(&accepting)
        .map(|(a, b)| a + b)
        .collect();
    times.sort_by(f64::total_cmp);
    accepting.sort_by(f64::total_cmp);
    let model_times = accepting;
    Ok(Times {
        median: times[times.len() / 2],
        min: times[0],
        p99: times[(times.len() * 99 / 100).min(times.len() - 1)],
        model: model_times[model_times.len() / 2],
        arena: Solver::<f32, L, Vec<f32>>::bytes(&shape)
            + Rssm::<f32>::len(&sizes, units, &shape) * 4,
    })
}
