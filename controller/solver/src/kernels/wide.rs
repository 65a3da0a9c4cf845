//! The same kernel compiled for wider vector registers, chosen at run time.
//!
//! AVX2 doubles the width of SSE2, which every x86-64 processor has. Multiply and add stay two
//! instructions, so that the result is the same to the last bit on every machine.

use super::packed::Packed;
use crate::Scalar;

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(avx2, "avx2");

/// `y += x B`, see [`Packed::add_product`].
#[inline]
pub(super) fn add_product<S: Scalar>(
    b: &Packed<'_, S>,
    count: usize,
    x: &[S],
    x_stride: usize,
    y: &mut [S],
    y_stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if avx2::get() {
        // SAFETY: the processor and the operating system support AVX2, as was just asked.
        #[allow(unsafe_code)]
        unsafe {
            add_product_avx2(b, count, x, x_stride, y, y_stride);
        }
        return;
    }
    b.add_product_here(count, x, x_stride, y, y_stride);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_product_avx2<S: Scalar>(
    b: &Packed<'_, S>,
    count: usize,
    x: &[S],
    x_stride: usize,
    y: &mut [S],
    y_stride: usize,
) {
    b.add_product_here(count, x, x_stride, y, y_stride);
}

#[cfg(test)]
mod tests {
    use super::super::packed::{Packed, pack, packed_len};

    #[test]
    fn wide_registers_give_the_same_bits() {
        let (rows, inner, columns) = (7, 61, 45);
        let b: Vec<f32> = (0..inner * columns).map(|i| (i as f32).sin()).collect();
        let x: Vec<f32> = (0..rows * inner).map(|i| (i as f32 * 0.3).cos()).collect();
        let mut panels = vec![0.0; packed_len(inner, columns)];
        pack(&b, inner, columns, &mut panels);
        let packed = Packed::new(inner, columns, &panels);
        let (mut wide, mut plain) = (vec![0.5; rows * columns], vec![0.5; rows * columns]);
        packed.add_product(rows, &x, inner, &mut wide, columns);
        packed.add_product_here(rows, &x, inner, &mut plain, columns);
        assert_eq!(wide, plain);
    }
}
