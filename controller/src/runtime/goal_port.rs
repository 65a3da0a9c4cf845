//! The port through which the robot is given another goal.

use crate::latest;
use crate::plan::GoalSlot;

/// The port through which goals go in; the planner thread takes the newest when it wakes next.
pub struct GoalPort {
    planner: latest::Writer<GoalSlot>,
    weight: f32,
}

/// The sides of the port, for goals of this weight; `now` is the one there is, or memory for one.
pub(super) fn make(now: &GoalSlot, weight: f32) -> (GoalPort, latest::Reader<GoalSlot>) {
    let (planner, of_planner) = latest::channel(|| now.clone());
    (GoalPort { planner, weight }, of_planner)
}

impl GoalPort {
    /// Makes the state `[n]`, the belief of a goal picture, what plans shall end in from the next image on.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn send(&mut self, belief: &[f32]) {
        self.planner.value_mut().put(Some((belief, self.weight)));
        self.planner.publish();
    }
}
