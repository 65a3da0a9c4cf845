//! A picture of what the robot shall bring about.

crate::settings! {
    /// `[goal]`: what plans shall end in, told by a picture of it (docs/planning.md).
    pub struct GoalSection {
        /// Picture of the goal, a PNG or JPEG file as the robot's camera would take it; of another size than the model's it is
        /// cropped and averaged as camera images are. Another one may come on `~/goal_image`. Without a value there is no goal
        /// until then.
        image: Option<String>, filled;
        /// Share of the goal in the cost of a plan, `w` in `(1 - w) sum_t softplus(-r(z_t))^2 + w norm(z_H - goal)^2`: with 1 it
        /// takes the place of the rewards, with less it stands beside them. With 0 no goal pictures are taken, and memory is
        /// made for none.
        weight: f64, within(0.0, 1.0);
    }
}
