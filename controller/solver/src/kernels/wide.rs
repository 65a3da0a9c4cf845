//! What [`Wide`] is on each kind of processor, and which of them is used.

#[cfg(target_arch = "x86_64")]
use core::sync::atomic::Ordering;

use super::lanes::{Dispatch, LANES, Task, Wide};
#[cfg(target_arch = "x86_64")]
use super::lanes::{Instructions, WIDEST};
use crate::scalar::Scalar;

impl Dispatch for f64 {
    fn instructions() -> &'static str {
        "portable"
    }

    #[inline]
    #[expect(private_bounds, private_interfaces)]
    fn dispatch<T: Task<Self>>(task: T) -> T::Output {
        task.run::<Portable<f64>>()
    }
}

impl Dispatch for f32 {
    fn instructions() -> &'static str {
        #[cfg(target_arch = "x86_64")]
        {
            match x86::level() {
                Instructions::Avx512 => "AVX-512",
                Instructions::Avx2 => "AVX2",
                Instructions::Sse2 => "SSE2",
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            "NEON"
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            "portable"
        }
    }

    #[inline]
    #[expect(private_bounds, private_interfaces)]
    fn dispatch<T: Task<Self>>(task: T) -> T::Output {
        #[cfg(target_arch = "x86_64")]
        {
            x86::dispatch(task)
        }
        #[cfg(target_arch = "aarch64")]
        {
            task.run::<neon::Neon>()
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            task.run::<Portable<f32>>()
        }
    }
}

/// Plain numbers, in the registers that the target always has; multiply and add are two operations.
#[derive(Clone, Copy)]
pub(crate) struct Portable<S>([S; LANES]);

impl<S: Scalar> Wide<S> for Portable<S> {
    const ROWS_OF_4: usize = 0;
    const ROWS_OF_2: usize = 1;
    const ROWS_OF_1: usize = 2;

    #[inline(always)]
    fn zero() -> Self {
        Self([S::ZERO; LANES])
    }
    #[inline(always)]
    fn load(from: &[S; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut [S; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    fn splat(value: S) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn multiply_add(self, factor: Self, mut sum: Self) -> Self {
        for i in 0..LANES {
            sum.0[i] += self.0[i] * factor.0[i];
        }
        sum
    }
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..LANES {
            self.0[i] += other.0[i];
        }
        self
    }
    #[inline(always)]
    fn flush(mut self) -> Self {
        self.0.iter_mut().for_each(|x| *x = x.flush());
        self
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86 {
    use core::arch::x86_64::{
        __m256, __m512, _CMP_NLT_UQ, _mm256_add_ps, _mm256_and_ps, _mm256_andnot_ps, _mm256_cmp_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm512_abs_ps, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_maskz_mov_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{Instructions, LANES, Ordering, Portable, Task, WIDEST, Wide};
    use crate::Scalar;

    cpufeatures::new!(avx512, "avx512f", "avx2", "fma");
    cpufeatures::new!(avx2, "avx2", "fma");

    /// The widest instructions of this processor.
    #[inline]
    pub(super) fn found() -> Instructions {
        if avx512::get() {
            Instructions::Avx512
        } else if avx2::get() {
            Instructions::Avx2
        } else {
            Instructions::Sse2
        }
    }

    /// The instructions in use.
    #[inline]
    pub(super) fn level() -> Instructions {
        let widest = WIDEST.load(Ordering::Relaxed);
        match found() {
            Instructions::Avx512 if widest >= Instructions::Avx512 as u8 => Instructions::Avx512,
            Instructions::Avx512 | Instructions::Avx2 if widest >= Instructions::Avx2 as u8 => {
                Instructions::Avx2
            }
            _ => Instructions::Sse2,
        }
    }

    #[inline]
    pub(super) fn dispatch<T: Task<f32>>(task: T) -> T::Output {
        match level() {
            // SAFETY: the processor and the operating system have these instructions.
            Instructions::Avx512 => unsafe { on_avx512(task) },
            Instructions::Avx2 => unsafe { on_avx2(task) },
            Instructions::Sse2 => task.run::<Portable<f32>>(),
        }
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) fn on_avx512<T: Task<f32>>(task: T) -> T::Output {
        task.run::<Avx512>()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn on_avx2<T: Task<f32>>(task: T) -> T::Output {
        task.run::<Avx2>()
    }

    // SAFETY of all methods below: the types are private and named only by the functions above, in
    // which the instructions are known to exist; pointers come from whole arrays.

    #[derive(Clone, Copy)]
    pub(super) struct Avx512(__m512);

    impl Wide<f32> for Avx512 {
        const ROWS_OF_4: usize = 4;
        const ROWS_OF_2: usize = 8;
        const ROWS_OF_1: usize = 8;

        #[inline(always)]
        fn zero() -> Self {
            Self(unsafe { _mm512_setzero_ps() })
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn flush(self) -> Self {
            Self(unsafe {
                let least = _mm512_set1_ps(f32::NEGLIGIBLE);
                let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self.0), least);
                _mm512_maskz_mov_ps(kept, self.0)
            })
        }
    }

    #[derive(Clone, Copy)]
    pub(super) struct Avx2([__m256; 2]);

    impl Wide<f32> for Avx2 {
        const ROWS_OF_4: usize = 1;
        const ROWS_OF_2: usize = 2;
        const ROWS_OF_1: usize = 6;

        #[inline(always)]
        fn zero() -> Self {
            Self([unsafe { _mm256_setzero_ps() }; 2])
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            let from = from.as_ptr();
            Self(unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            let to = to.as_mut_ptr();
            unsafe {
                _mm256_storeu_ps(to, self.0[0]);
                _mm256_storeu_ps(to.add(8), self.0[1]);
            }
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self([unsafe { _mm256_set1_ps(value) }; 2])
        }
        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            Self(unsafe {
                [
                    _mm256_fmadd_ps(self.0[0], factor.0[0], sum.0[0]),
                    _mm256_fmadd_ps(self.0[1], factor.0[1], sum.0[1]),
                ]
            })
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe {
                [
                    _mm256_add_ps(self.0[0], other.0[0]),
                    _mm256_add_ps(self.0[1], other.0[1]),
                ]
            })
        }
        #[inline(always)]
        fn flush(self) -> Self {
            Self(self.0.map(|part| unsafe {
                let least = _mm256_set1_ps(f32::NEGLIGIBLE);
                let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), part);
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, least), part)
            }))
        }
    }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod neon {
    use core::arch::aarch64::{
        float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32,
    };

    use super::{LANES, Wide};
    use crate::Scalar;

    /// NEON is part of every 64-bit Arm processor.
    #[derive(Clone, Copy)]
    pub(super) struct Neon([float32x4_t; 4]);

    // SAFETY: the instructions always exist; pointers come from whole arrays.
    impl Wide<f32> for Neon {
        const ROWS_OF_4: usize = 1;
        const ROWS_OF_2: usize = 2;
        const ROWS_OF_1: usize = 6;

        #[inline(always)]
        fn zero() -> Self {
            Self::splat(0.0)
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            let from = from.as_ptr();
            Self(core::array::from_fn(|i| unsafe {
                vld1q_f32(from.add(4 * i))
            }))
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            let to = to.as_mut_ptr();
            for (i, part) in self.0.into_iter().enumerate() {
                unsafe { vst1q_f32(to.add(4 * i), part) }
            }
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self([unsafe { vdupq_n_f32(value) }; 4])
        }
        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            Self(core::array::from_fn(|i| unsafe {
                vfmaq_f32(sum.0[i], self.0[i], factor.0[i])
            }))
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(core::array::from_fn(|i| unsafe {
                vaddq_f32(self.0[i], other.0[i])
            }))
        }
        #[inline(always)]
        fn flush(self) -> Self {
            let mut values = [0.0; LANES];
            self.store(&mut values);
            Self::load(&values.map(f32::flush))
        }
    }
}

/// Runs `make()` on every path this processor has, widest first; `true` where multiply-add is fused.
#[cfg(test)]
#[allow(unsafe_code)]
pub(crate) fn on_every_path<T: Task<f32>>(make: impl Fn() -> T) -> Vec<(bool, T::Output)> {
    let mut outputs = vec![(false, make().run::<Portable<f32>>())];
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: the level says that the instructions exist.
        if x86::found() >= Instructions::Avx2 {
            outputs.push((true, unsafe { x86::on_avx2(make()) }));
        }
        if x86::found() >= Instructions::Avx512 {
            outputs.push((true, unsafe { x86::on_avx512(make()) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    outputs.push((true, make().run::<neon::Neon>()));
    outputs
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::super::lanes::limit_instructions;
    use super::*;

    // Other tests may run meanwhile: AVX2 gives them the same bits.
    #[test]
    fn a_limit_takes_a_narrower_path_and_never_one_that_is_missing() {
        let widest = x86::found();
        limit_instructions(Instructions::Avx2);
        assert_eq!(x86::level(), widest.min(Instructions::Avx2));
        limit_instructions(Instructions::Avx512);
        assert_eq!(x86::level(), widest);
    }
}
