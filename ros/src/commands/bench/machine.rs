//! The abilities of the machine: the rate of one large product, and the processor.

#![allow(unsafe_code)] // the product is called through a function pointer of the library

use std::time::Instant;

use gemm_common::Parallelism;
use serde::Serialize;

/// The library whose product is used: `gemm-f32` chooses AVX-512, AVX2 with FMA, or NEON when it
/// runs. It reached twice the rate of `matrixmultiply` (which has an AVX-512 kernel too) on a
/// machine with AVX-512.
pub(super) const KERNEL: &str = "gemm-f32 0.19";

/// Number of rows and columns of the square matrices, of 9 MB each.
const SIDE: usize = 1536;

/// `out += left right` for square-wide row-major matrices: `[rows, SIDE] += [rows, SIDE] [SIDE, SIDE]`.
fn add_product(out: &mut [f32], left: &[f32], right: &[f32]) {
    let rows = out.len() / SIDE;
    assert!(
        out.len() == rows * SIDE && left.len() == out.len() && right.len() == SIDE * SIDE,
        "the operands of a product have whole rows"
    );
    // SAFETY: all elements that are read and written lie in the slices, whose lengths were checked, and `out` is ours
    // alone.
    unsafe {
        (gemm_f32::gemm::f32::get_gemm_fn())(
            rows,
            SIDE,
            SIDE,
            out.as_mut_ptr(),
            1,
            SIDE as isize,
            true,
            left.as_ptr(),
            1,
            SIDE as isize,
            right.as_ptr(),
            1,
            SIDE as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The best rate of a product of two square f32 matrices on `threads` threads, in 10^9
/// multiply-adds a second, over about one second.
pub(super) fn gmac_per_s(threads: usize) -> f64 {
    let operand = vec![1e-3_f32; SIDE * SIDE];
    let mut out = vec![0.0_f32; SIDE * SIDE];
    let band = SIDE.div_ceil(threads);
    let mut best_s = f64::INFINITY;
    let started = Instant::now();
    let mut repetitions = 0;
    while repetitions < 5 || started.elapsed().as_secs_f64() < 1.0 {
        let began = Instant::now();
        std::thread::scope(|scope| {
            let bands = out.chunks_mut(band * SIDE).zip(operand.chunks(band * SIDE));
            for (out, left) in bands {
                let right = &operand;
                let mut work = move || add_product(out, left, right);
                if threads == 1 {
                    work();
                } else {
                    scope.spawn(work);
                }
            }
        });
        best_s = best_s.min(began.elapsed().as_secs_f64());
        repetitions += 1;
    }
    (SIDE * SIDE * SIDE) as f64 / best_s * 1e-9
}

/// The processor, as far as it decides the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cpu {
    /// Name of the processor, if the system tells.
    pub(super) model: Option<String>,
    /// Number of cores that this process may use.
    pub(super) cores: usize,
    /// Vector instructions found at run time, the widest last.
    pub(super) features: Vec<&'static str>,
}

/// Looks at the processor.
pub(super) fn cpu() -> Cpu {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    Cpu {
        model,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        features: features(),
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let mut found = vec!["sse2"];
    for (name, is_there) in [
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ] {
        if is_there {
            found.push(name);
        }
    }
    found
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    vec!["neon"]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_product_matches_a_plain_one() {
        let left: Vec<f32> = (0..2 * SIDE).map(|i| (i % 7) as f32).collect();
        let mut right = vec![0.0; SIDE * SIDE];
        for i in 0..SIDE {
            right[i * SIDE + (i + 1) % SIDE] = 2.0;
        }
        let mut out = vec![1.0; 2 * SIDE];
        add_product(&mut out, &left, &right);
        for (row, column) in [(0, 1), (0, SIDE - 1), (1, 0), (1, 5)] {
            let from = row * SIDE + (column + SIDE - 1) % SIDE;
            assert_eq!(out[row * SIDE + column], 1.0 + 2.0 * left[from]);
        }
    }
}
