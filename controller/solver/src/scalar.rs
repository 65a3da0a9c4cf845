use core::fmt::Debug;
use core::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::kernels::lanes::Dispatch;

/// The number type of a solver: `f32` on a robot, `f64` to reproduce published figures.
pub trait Scalar:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Dispatch
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Numbers below this magnitude count as 0 in products. Gradients shrink on their way back
    /// through a contracting model until they are subnormal, where some processors need a hundred
    /// cycles an operation; the square of this one is still normal.
    const NEGLIGIBLE: Self;
    /// The nearest value to `x`.
    fn from_f64(x: f64) -> Self;
    /// This value as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// `|x|`.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// `e^x`.
    fn exp(self) -> Self;
    /// `e^x - 1` without cancellation near 0.
    fn exp_m1(self) -> Self;
    /// `ln(1 + x)` without cancellation near 0.
    fn ln_1p(self) -> Self;
    /// Base 10 logarithm.
    fn log10(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// 0 if the magnitude is below [`Scalar::NEGLIGIBLE`].
    #[inline(always)]
    fn flush(self) -> Self {
        if self.abs() < Self::NEGLIGIBLE {
            Self::ZERO
        } else {
            self
        }
    }

    /// The larger one; `other` if `self` is NaN.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// Logistic function `1 / (1 + e^-x)`.
    #[inline]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }

    /// `ln(1 + e^x)`, finite for every finite `x`.
    #[inline]
    fn softplus(self) -> Self {
        self.maximum(Self::ZERO) + (-self.abs()).exp().ln_1p()
    }

    /// Exponential linear unit: `x` above 0, `e^x - 1` below.
    #[inline]
    fn elu(self) -> Self {
        if self > Self::ZERO {
            self
        } else {
            self.exp_m1()
        }
    }

    /// Derivative of [`Scalar::elu`].
    #[inline]
    fn elu_slope(self) -> Self {
        if self > Self::ZERO {
            Self::ONE
        } else {
            self.exp()
        }
    }
}

macro_rules! scalar {
    ($type:ident, $negligible:literal, $abs:ident, $sqrt:ident, $exp:ident, $expm1:ident, $log1p:ident, $log10:ident, $tanh:ident) => {
        impl Scalar for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEGLIGIBLE: Self = $negligible;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                libm::$abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                libm::$sqrt(self)
            }
            #[inline]
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            #[inline]
            fn exp_m1(self) -> Self {
                libm::$expm1(self)
            }
            #[inline]
            fn ln_1p(self) -> Self {
                libm::$log1p(self)
            }
            #[inline]
            fn log10(self) -> Self {
                libm::$log10(self)
            }
            #[inline]
            fn tanh(self) -> Self {
                libm::$tanh(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $type::is_finite(self)
            }
        }
    };
}

scalar!(
    f32, 1e-18, fabsf, sqrtf, expf, expm1f, log1pf, log10f, tanhf
);
scalar!(f64, 1e-150, fabs, sqrt, exp, expm1, log1p, log10, tanh);
