//! Stick: grip the tool by its handle, then push the puck to the goal with the end of the tool. The
//! reward is 1 while the puck is at the goal and 0 elsewhere.
//!
//! Puck and goal lie beyond what the arm itself can touch. The tool is gripped as soon as the tip
//! touches the handle; it then stays in line with the last link and changes its colour. (The Thermos
//! task of Rybkin et al. 2021 in small.)

use rand::Rng;

pub use super::push::{GOAL_RADIUS, TOLERANCE};
use super::push::{PuckAndGoal, puck_target};
use super::{anywhere, at_puck, beside, decoy, random_arm};
use crate::arm::{Arm, JOINTS, Posture, Shape};
use crate::contact::{CONTACT, Puck};
use crate::noise::uniform;
use crate::plane::{Place, around, distance, on_table};
use crate::render::{Canvas, Colour};
use crate::robot::{Habits, Object};
use crate::scene::{TIP_RADIUS, TOUCHED_COLOUR, UNTOUCHED_COLOUR, shows};
use crate::script::Stage;
use crate::steer::{any_quick, fastest};
use crate::tabletop::{SLOW, Tabletop, Task, Timing};

/// Length of the tool in m.
pub const TOOL_LENGTH: f64 = 0.5;
/// Radius of the handle in m; it is touched when the middle of the tip is above it.
pub const HANDLE_RADIUS: f64 = 0.15;
/// Distance in m from the middle of the handle within which the expert touches it.
pub const GRIP_WITHIN: f64 = 0.06;
/// Radius of the rest of the tool in m.
pub const TOOL_RADIUS: f64 = 0.055;
/// Shortest and longest distance in m from the base at which handles are drawn.
pub const HANDLE_DISTANCE: [f64; 2] = [0.4, 0.85];
/// Largest angle in rad to either side of straight up at which handles are drawn.
pub const HANDLE_ANGLE_RAD: f64 = 1.3;
/// Least distance in m of puck and goal from the base: the arm without a tool does not touch a puck there.
pub const LEAST_BASE_DISTANCE: f64 =
    Shape::SHORT.links[0] + Shape::SHORT.links[1] + Shape::SHORT.links[2] + CONTACT + 0.02;
/// The box from which places of puck and goal are drawn, x and y in m.
pub const BOX: [[f64; 2]; 2] = [[-0.75, 0.75], [0.0, 0.75]];
/// Shortest and longest way of the puck at the start, in m.
pub const START_DISTANCE: [f64; 2] = [0.3, 0.9];
/// Start angles are drawn uniformly up to this far from straight up, in rad.
pub const START_SPREAD_RAD: Posture = [0.9, 1.4, 1.4];
/// Colour of the tool that lies on the table.
pub const FREE_COLOUR: Colour = UNTOUCHED_COLOUR;
/// Colour of the tool while it is held.
pub const HELD_COLOUR: Colour = TOUCHED_COLOUR;
/// Shares of the way-points before the tool is gripped: push the puck with it; grip it; beside the
/// handle without touching it. The rest goes anywhere.
pub const FREE_SHARES: [f64; 3] = [0.6, 0.1, 0.15];
/// Shares of the way-points while the tool is held: push the puck; go to places at the puck, in whatever way
/// the tool then touches it. The rest goes anywhere.
pub const HELD_SHARES: [f64; 2] = [0.6, 0.25];

/// The short planar arm with a tool, a puck and a goal for it.
pub type Stick = Tabletop<ToolAndPuck>;

/// The things on the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAndPuck {
    handle: Place,
    /// Place of the tool's other end while it lies on the table.
    tool_end: Place,
    held: bool,
    pushed: PuckAndGoal,
}

impl Stick {
    /// Place in m where the handle lies, or lay. Planners may not use it.
    pub fn handle(&self) -> Place {
        self.task.handle
    }

    /// Whether the arm holds the tool. Planners may not use it: they have to see it in the picture.
    pub fn held(&self) -> bool {
        self.task.held
    }

    /// Place of the puck in m. Planners may not use it.
    pub fn puck(&self) -> Place {
        self.task.pushed.puck.place
    }

    /// Place of the goal in m. Planners may not use it.
    pub fn goal(&self) -> Place {
        self.task.pushed.goal
    }
}

impl ToolAndPuck {
    fn grip(&self, posture: Posture) -> Stage {
        Stage::Touch {
            place: self.handle,
            within: GRIP_WITHIN,
            posture,
        }
    }
}

impl Task for ToolAndPuck {
    const NAME: &'static str = "stick";
    const SHAPE: Shape = Shape::SHORT;
    const TIMING: Timing = SLOW;
    const HABITS: Habits = Habits {
        waypoint_share: 0.9,
        dwell_steps: [1, 4],
        patience_steps: 28,
    };
    const EXPERT_STEPS: Option<usize> = Some(23);

    fn start(rng: &mut dyn Rng) -> Option<(Arm, Self)> {
        let arm = random_arm(Self::SHAPE, START_SPREAD_RAD, rng);
        let base = Self::SHAPE.base;
        let up = std::f64::consts::FRAC_PI_2;
        let angle = up + uniform(rng, -HANDLE_ANGLE_RAD, HANDLE_ANGLE_RAD);
        let [nearest, farthest] = HANDLE_DISTANCE;
        let handle = around(base, uniform(rng, nearest, farthest), angle);
        let turned = uniform(rng, 0.0, std::f64::consts::TAU);
        let tool_end = around(handle, TOOL_LENGTH, turned);
        let pushed = PuckAndGoal::draw_start(BOX, START_DISTANCE, rng)?;
        let (puck, goal) = (pushed.puck.place, pushed.goal);
        fastest(&arm.positions, &Self::SHAPE, handle)?;
        let fits = [puck, goal]
            .iter()
            .all(|p| distance(*p, base) >= LEAST_BASE_DISTANCE)
            && distance(arm.tip(), handle) >= HANDLE_RADIUS + 0.15
            && distance(handle, puck).min(distance(tool_end, puck)) >= CONTACT + 0.1
            && distance(tool_end, base) >= 0.25
            && shows(&arm, handle)
            && on_table(handle, HANDLE_RADIUS)
            && on_table(tool_end, TOOL_RADIUS);
        fits.then_some((
            arm,
            Self {
                handle,
                tool_end,
                held: false,
                pushed,
            },
        ))
    }

    fn moved(&mut self, before: &Arm, now: &Arm, _: f64) {
        let hand = self.hand();
        (self.pushed.puck).pushed(hand.tip(&before.positions), hand.tip(&now.positions));
        self.held |= distance(now.tip(), self.handle) <= HANDLE_RADIUS;
    }

    fn hand(&self) -> Shape {
        if self.held {
            Self::SHAPE.with_tool(TOOL_LENGTH)
        } else {
            Self::SHAPE
        }
    }

    fn puck(&self) -> Option<Puck> {
        self.pushed.puck()
    }

    fn draw(&self, arm: &Arm, canvas: &mut Canvas<'_>) {
        self.pushed.draw(arm, canvas);
        if self.held {
            let points = self.hand().points(&arm.positions);
            let [handle, end] = [arm.tip(), points[JOINTS]];
            canvas.capsule(handle, end, TOOL_RADIUS, HELD_COLOUR);
            canvas.disc(handle, HANDLE_RADIUS, HELD_COLOUR);
            canvas.disc(end, TIP_RADIUS, crate::scene::TIP_COLOUR);
        } else {
            canvas.capsule(self.handle, self.tool_end, TOOL_RADIUS, FREE_COLOUR);
            canvas.disc(self.handle, HANDLE_RADIUS, FREE_COLOUR);
        }
    }

    fn solved(&self, arm: &Arm) -> bool {
        self.pushed.solved(arm)
    }

    fn way_left(&self, arm: &Arm) -> f64 {
        let behind = self.pushed.puck.behind(self.pushed.goal);
        let to_puck = if self.held {
            distance(self.hand().tip(&arm.positions), behind)
        } else {
            // More than it can be once the tool is gripped, so that gripping never costs.
            distance(arm.tip(), self.handle) + distance(self.handle, behind) + TOOL_LENGTH
        };
        to_puck + self.pushed.distance()
    }

    fn objects(&self) -> Vec<Object> {
        self.pushed.objects()
    }

    fn put(&mut self, thing: &str, place: Place) -> bool {
        self.pushed.put(thing, place)
    }

    fn expert(&self, arm: &Arm) -> Vec<Stage> {
        let push = Stage::push(self.pushed.goal);
        if self.held {
            return vec![push];
        }
        let found = fastest(&arm.positions, &Self::SHAPE, self.handle);
        let gripping = found.expect("handles are drawn within reach").0;
        vec![self.grip(gripping), push]
    }

    fn waypoint(&self, arm: &Arm, rng: &mut dyn Rng) -> Vec<Stage> {
        let kind = uniform(rng, 0.0, 1.0);
        let tooled = Self::SHAPE.with_tool(TOOL_LENGTH);
        let (puck, goal) = (self.pushed.puck.place, self.pushed.goal);
        let push = |rng: &mut dyn Rng| {
            let target = puck_target(&tooled, puck, goal, BOX, rng);
            target.map_or_else(|| anywhere(arm, &tooled, rng), Stage::push)
        };
        if self.held {
            let [pushing, at] = HELD_SHARES;
            return vec![if kind < pushing {
                push(rng)
            } else if kind < pushing + at {
                at_puck(arm, &tooled, puck, rng)
            } else {
                anywhere(arm, &tooled, rng)
            }];
        }
        let [all, grip, near] = FREE_SHARES;
        if kind < all + grip {
            let found = any_quick(&arm.positions, &Self::SHAPE, self.handle, rng);
            let gripping = found.expect("handles are drawn within reach");
            if kind < all {
                vec![self.grip(gripping), push(rng)]
            } else {
                vec![Stage::Move(gripping)]
            }
        } else if kind < all + grip + near {
            let near = |rng: &mut dyn Rng| beside(self.handle, [HANDLE_RADIUS + 0.04, 0.4], rng);
            vec![decoy(arm, &Self::SHAPE, near, rng)]
        } else {
            vec![anywhere(arm, &Self::SHAPE, rng)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Stream, generator};
    use crate::scene;

    fn mirrored(place: Place) -> Place {
        [-place[0], place[1]]
    }

    fn picture(task: &ToolAndPuck, arm: &Arm, size: usize) -> Vec<u8> {
        let mut rgb = vec![0; size * size * 3];
        let mut canvas = Canvas::new(&mut rgb, size, scene::BACKGROUND);
        task.draw(arm, &mut canvas);
        scene::draw_arm(&mut canvas, arm);
        rgb
    }

    #[test]
    fn a_mirrored_episode_is_an_episode() {
        let size = 32;
        for seed in 0..20 {
            let rng = &mut generator(seed, Stream::Episode);
            let (mut arm, mut task) = loop {
                if let Some(start) = ToolAndPuck::start(rng) {
                    break start;
                }
            };
            let mut other = ToolAndPuck {
                handle: mirrored(task.handle),
                tool_end: mirrored(task.tool_end),
                held: task.held,
                pushed: PuckAndGoal {
                    puck: Puck {
                        place: mirrored(task.pushed.puck.place),
                    },
                    goal: mirrored(task.pushed.goal),
                },
            };
            let mut other_arm = Arm::at_rest(arm.shape, arm.positions.map(|q| -q));
            for _ in 0..300 {
                let set = [0; JOINTS].map(|_| uniform(rng, -0.7, 0.7));
                let (before, other_before) = (arm, other_arm);
                arm.advance(&set, 0.02);
                other_arm.advance(&set.map(|v| -v), 0.02);
                task.moved(&before, &arm, 0.02);
                other.moved(&other_before, &other_arm, 0.02);
            }
            assert!(distance(mirrored(task.pushed.puck.place), other.pushed.puck.place) < 1e-9);
            let (one, two) = (
                picture(&task, &arm, size),
                picture(&other, &other_arm, size),
            );
            for (row, other_row) in one.chunks_exact(3 * size).zip(two.chunks_exact(3 * size)) {
                let columns = row.chunks_exact(3).zip(other_row.rchunks_exact(3));
                for (pixel, other_pixel) in columns {
                    for (a, b) in pixel.iter().zip(other_pixel) {
                        assert!(a.abs_diff(*b) <= 2, "seed {seed}: {a} {b}");
                    }
                }
            }
        }
    }
}
