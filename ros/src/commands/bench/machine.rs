//! What the machine can do: the rate of one large product, and the processor.

#![allow(unsafe_code)] // the product is called through a function pointer of the library

use std::time::Instant;

use gemm_common::Parallelism;
use serde::Serialize;

/// The library whose product is used: `gemm-f32` chooses AVX-512, AVX2 with FMA, or NEON when it
/// runs. It reached twice the rate of `matrixmultiply` (which has an AVX-512 kernel too) on a
/// machine with AVX-512.
pub(super) const KERNEL: &str = "gemm-f32 0.19";

/// Side of the square matrices, of 9 MB each.
const SIDE: usize = 1536;

/// A strided part of a matrix that is read.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) values: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl View<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// `out += factor * left right`, `[rows, columns] += [rows, inner] [inner, columns]`; rows of `out`
/// lie `row_stride` apart.
pub(super) fn add_product(
    out: &mut [f32],
    row_stride: usize,
    (rows, inner, columns): (usize, usize, usize),
    factor: f32,
    left: View<'_>,
    right: View<'_>,
) {
    let written = View {
        values: out,
        row_stride,
        column_stride: 1,
    };
    assert!(columns <= row_stride, "rows of a product do not overlap");
    assert!(
        written.holds(rows, columns) && left.holds(rows, inner) && right.holds(inner, columns),
        "the operands of a product lie in their slices"
    );
    if rows == 0 || columns == 0 {
        return;
    }
    let stride = |stride: usize| stride as isize;
    // SAFETY: all elements that are read and written lie in the slices, and `out` is ours alone.
    unsafe {
        (gemm_f32::gemm::f32::get_gemm_fn())(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            stride(row_stride),
            true,
            left.values.as_ptr(),
            stride(left.column_stride),
            stride(left.row_stride),
            right.values.as_ptr(),
            stride(right.column_stride),
            stride(right.row_stride),
            1.0,
            factor,
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
    let matrix = View {
        values: &operand,
        row_stride: SIDE,
        column_stride: 1,
    };
    let band = SIDE.div_ceil(threads);
    let mut best_s = f64::INFINITY;
    let started = Instant::now();
    let mut repetitions = 0;
    while repetitions < 5 || started.elapsed().as_secs_f64() < 1.0 {
        let began = Instant::now();
        std::thread::scope(|scope| {
            let bands = out.chunks_mut(band * SIDE).zip(operand.chunks(band * SIDE));
            for (out, left) in bands {
                let rows = out.len() / SIDE;
                let left = View {
                    values: left,
                    ..matrix
                };
                let mut work =
                    move || add_product(out, SIDE, (rows, SIDE, SIDE), 1.0, left, matrix);
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
    /// Cores that this process may use.
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
    fn a_product_of_strided_parts() {
        // [1 2; 3 4] in the first columns of rows of 3, times its transpose
        let values = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        let left = View {
            values: &values,
            row_stride: 3,
            column_stride: 1,
        };
        let right = View {
            values: &values,
            row_stride: 1,
            column_stride: 3,
        };
        let mut out = [1.0, 1.0, 7.0, 1.0, 1.0];
        add_product(&mut out, 3, (2, 2, 2), -1.0, left, right);
        assert_eq!(out, [-4.0, -10.0, 7.0, -10.0, -24.0]);
    }
}
