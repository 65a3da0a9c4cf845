//! The kinds of faults.

use std::ops::RangeInclusive;

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The images.
    Camera,
    /// The joint states.
    Joints,
    /// The clock of the controller.
    Clock,
    /// The filter step of the model.
    Model,
    /// The planner.
    Planner,
    /// What is sent to the robot.
    Commands,
}

/// What a fault does to what it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It never arrives.
    Drop,
    /// It arrives later.
    Delay,
    /// It arrives twice.
    Repeat,
    /// It arrives after the one behind it.
    Swap,
    /// Its stamp is wrong.
    ShiftStamp,
    /// It has the content of the last one before the fault, and a stamp of its own.
    Freeze,
    /// A black square covers a share of the picture, in its middle.
    Occlude,
    /// A share of the bytes is random.
    Noise,
    /// A share of the bytes is missing at the end.
    Truncate,
    /// A number is NaN.
    NotFinite,
    /// All numbers are off by an amount.
    Offset,
    /// The numbers of the first two joints change places.
    Exchange,
    /// It stands still.
    Stop,
    /// It is off by an amount.
    Jump,
    /// It reports a failure.
    Fail,
    /// It takes longer.
    Slow,
    /// Its thread panics.
    Panic,
}

/// The amount that a kind of fault needs: its unit and its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// The unit.
    pub unit: &'static str,
    /// The values that are taken.
    pub range: RangeInclusive<f64>,
}

/// A kind of fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// The name in files and reports.
    pub name: &'static str,
    /// What it strikes.
    pub target: Target,
    /// What it does.
    pub effect: Effect,
    /// The amount that it needs; `None` without one.
    pub amount: Option<Amount>,
}

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

const fn kind(name: &'static str, target: Target, effect: Effect, amount: Option<Amount>) -> Kind {
    Kind {
        name,
        target,
        effect,
        amount,
    }
}

const fn amount(unit: &'static str, least: f64, most: f64) -> Option<Amount> {
    Some(Amount {
        unit,
        range: least..=most,
    })
}

const DELAY: Option<Amount> = amount("ms", 0.0, 60_000.0);
/// As far as a day.
const SHIFT: Option<Amount> = amount("ms", -86_400_000.0, 86_400_000.0);
const SHARE: Option<Amount> = amount("of 1", 0.0, 1.0);

/// All kinds.
pub static KINDS: [Kind; 31] = {
    use Effect as E;
    use Target as T;
    [
        kind("drop_frames", T::Camera, E::Drop, None),
        kind("delay_frames", T::Camera, E::Delay, DELAY),
        kind("repeat_frames", T::Camera, E::Repeat, None),
        kind("swap_frames", T::Camera, E::Swap, None),
        kind("shift_frame_stamps", T::Camera, E::ShiftStamp, SHIFT),
        kind("freeze_image", T::Camera, E::Freeze, None),
        kind("occlude_image", T::Camera, E::Occlude, SHARE),
        kind("noise_image", T::Camera, E::Noise, SHARE),
        kind("truncate_image", T::Camera, E::Truncate, SHARE),
        kind("drop_joints", T::Joints, E::Drop, None),
        kind("delay_joints", T::Joints, E::Delay, DELAY),
        kind("repeat_joints", T::Joints, E::Repeat, None),
        kind("swap_joints", T::Joints, E::Swap, None),
        kind("shift_joint_stamps", T::Joints, E::ShiftStamp, SHIFT),
        kind("freeze_joints", T::Joints, E::Freeze, None),
        kind("nan_joints", T::Joints, E::NotFinite, None),
        kind(
            "offset_joints",
            T::Joints,
            E::Offset,
            amount("rad", f64::MIN, f64::MAX),
        ),
        kind("exchange_joints", T::Joints, E::Exchange, None),
        kind("stop_clock", T::Clock, E::Stop, None),
        kind("jump_clock", T::Clock, E::Jump, SHIFT),
        kind("fail_model", T::Model, E::Fail, None),
        kind("nan_model", T::Model, E::NotFinite, None),
        kind("slow_model", T::Model, E::Slow, DELAY),
        kind("panic_model", T::Model, E::Panic, None),
        kind("fail_planner", T::Planner, E::Fail, None),
        kind("nan_planner", T::Planner, E::NotFinite, None),
        kind("slow_planner", T::Planner, E::Slow, DELAY),
        kind("panic_planner", T::Planner, E::Panic, None),
        kind("drop_commands", T::Commands, E::Drop, None),
        kind("slow_commands", T::Commands, E::Slow, DELAY),
        kind("panic_commands", T::Commands, E::Panic, None),
    ]
};
