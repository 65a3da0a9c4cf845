//! The tables of a training configuration.

use latco_models::ActionKind;

latco_controller::choices! {
    /// What is trained, and how.
    pub enum Recipe {
        /// Keypoint autoencoder on single frames, frozen; then the RSSM on its codes and the joints.
        TwoStage = "two_stage",
        /// PlaNet's joint evidence lower bound with convolutional encoder and decoder on images of 64x64 pixels.
        Planet = "planet",
    }
}

latco_controller::choices! {
    /// What a reward head predicts.
    pub enum RewardKind {
        /// The reward, by squared error.
        Regression = "regression",
        /// The logit of a 0/1 reward, by cross entropy.
        BernoulliLogit = "bernoulli_logit",
    }
}

latco_controller::choices! {
    /// Which reward heads a model has.
    pub enum RewardHeads {
        /// One that regresses the reward.
        Regression = "regression",
        /// One that gives the logit of a 0/1 reward.
        BernoulliLogit = "bernoulli_logit",
        /// Both. Only the gradient of the logit's loss reaches the state: it grows with the distance from what is rewarded,
        /// which shapes the state, while the regression stays bounded, which planners can trust more.
        Both = "both",
    }
}

latco_controller::choices! {
    /// Where actions come from.
    pub enum ActionSource {
        /// From what was commanded: joint velocities, trajectories, or the state of a controller that follows them.
        Commands = "commands",
        /// From the differences of joint positions, for recordings without commands.
        JointStates = "joint_states",
    }
}

latco_controller::settings! {
    /// How the bags are read. For a task of the simulated robots all but `task` may be left out.
    pub struct DataConfig {
        /// Name of the task, which the bundle carries; for a simulated robot it also gives period, action scale and limits.
        task: String = "reach".into();
        /// Time between two frames; 0 takes the simulated robot's.
        control_period_s: f64, within(0.0, 100.0);
        /// Width and height of the images; 0 keeps that of the bags.
        image_size: usize, at_most(2048.0), unit_of("pixels");
        /// Command per unit of action, one an action, in the unit of its kind; empty takes the simulated robot's, or 1.
        action_scale: Vec<f64>, within(1e-6, 1e6);
        /// What the commands are, one an action: `joint_velocity`, `joint_position`, `joint_position_change`, or a component of a
        /// twist (`twist_linear_x` to `twist_angular_z`); empty takes the simulated robot's, or joint velocities. Actions of
        /// positions are their changes in a control period; `joint_position_change` is for recordings that hold the changes.
        action_kinds: Vec<ActionKind>;
        /// Topic of the camera images (or the one with `/compressed` behind it); empty takes `camera/image_raw`, else the only
        /// one.
        image: String;
        /// Topic of the joint states, of one or several publishers; empty takes `joint_states`, else the only one.
        joint_states: String;
        /// Topic of the commands: `std_msgs/Float64MultiArray` of joint velocities, `trajectory_msgs/JointTrajectory`, or
        /// `control_msgs/JointTrajectoryControllerState`; empty takes `commands`, `joint_trajectory`, else the only one.
        commands: String;
        /// Joints in the order of the commands; empty takes those that the commands name, else those of the joint states.
        joints: Vec<String>;
        /// Where the actions come from.
        action: ActionSource;
        /// Memory for the data (MB of 10^6 bytes): images that do not fit are set aside in a file in the folder of the run,
        /// which needs room for them, and read from it batch by batch; the losses are the same. 0 is no limit. What the
        /// network needs comes on top, and, while bags are read, the images between two episode marks.
        memory_mb: usize = 4096, at_most(1e9);
        /// Whether every episode is also trained on mirrored: images flipped left to right, joints and actions negated. Only
        /// for planar arms whose base is on the picture's middle column, as those of the simulated robots.
        mirror: bool;
        /// What the reward head learns in frames without reward: the next reward of the episode, times this to the power of
        /// the steps until it comes; 0 for the reward itself. Where rewards are rare (docs/decisions/0010), plans that do not
        /// reach one are told apart by it: it is the value of what the recorded policies did.
        reward_discount: f64, within(0.0, 0.9999);
    }
}

latco_controller::settings! {
    /// Settings of the keypoint autoencoder.
    pub struct AutoencoderConfig {
        /// Optimiser steps.
        steps: usize = 4000, within(1.0, 1e7);
        /// Frames per step.
        batch: usize = 64, within(1.0, 4096.0);
        /// Learning rate at the first step; it falls along a cosine.
        learning_rate: f64 = 2e-3, within(1e-8, 1.0);
        /// Learning rate at the last step.
        final_learning_rate: f64 = 2e-4, within(1e-8, 1.0);
        /// Largest norm of the gradient.
        clip: f64 = 20.0, within(1e-6, 1e9);
        /// Keypoints (x, y, presence each).
        keypoints: usize = 8, within(1.0, 256.0);
        /// Width between keypoints and code.
        hidden: usize = 64, within(1.0, 4096.0);
        /// Width of the code.
        code: usize = 24, within(1.0, 1024.0);
        /// Width of the decoder.
        decoder: usize = 128, within(1.0, 4096.0);
        /// Whether the decoder is given the joints beside the code, so that the code has to say only what they do not: where
        /// other things are. Without joints it makes no difference.
        decoder_joints: bool;
        /// Deviation of the noise added to the code before it is decoded.
        code_noise: f64 = 0.05, within(0.0, 10.0);
        /// Weight of pixels that differ from the mean image.
        foreground_weight: f64 = 6.0, within(1.0, 1000.0);
        /// Difference (of 0 to 1) from which a pixel counts as differing.
        foreground_threshold: f64 = 0.1, within(0.01, 1.0);
        /// Power of one half over its difference by which that weight is multiplied: at 0 all pixels that differ weigh alike
        /// and a dim object counts little beside a bright one, as its squared error is small; at 2 it counts the same.
        dim_power: f64, within(0.0, 2.0);
        /// Weight of predicting the rewards of an episode's frames from their joints and the code of another frame, which
        /// brings into the code what decides the reward.
        reward_weight: f64 = 0.1, within(0.0, 1e6);
        /// How far these other frames may lie from that frame; by default anywhere in the episode, which suits tasks in
        /// which nothing but the robot moves. 0 for the frame itself.
        reward_span: usize = 1_000_000, at_most(1e6), unit_of("frames");
        /// Measurements of the held-out loss (one per checkpoint) without a new least value after which the stage ends
        /// early; it then keeps the weights of the least. 0 for never.
        patience: usize, at_most(1e6);
    }
}

impl AutoencoderConfig {
    /// Weight of the squared error of a pixel that differs this much from the mean image.
    pub fn pixel_weight(&self, difference: f32) -> f32 {
        if difference <= self.foreground_threshold as f32 {
            1.0
        } else {
            self.foreground_weight as f32 * (0.5 / difference).powf(self.dim_power as f32)
        }
    }
}

latco_controller::settings! {
    /// Sizes of the world model.
    pub struct ModelConfig {
        /// Width of the stochastic part of the state.
        stoch: usize = 16, within(1.0, 1024.0);
        /// Width of the deterministic part of the state; 0 for none, the SSM of the PlaNet paper's ablation, whose bundles have
        /// dynamics of the kind `dense`.
        deter: usize = 64, at_most(4096.0);
        /// Width of the dense layers.
        hidden: usize = 96, within(1.0, 4096.0);
        /// Width of the hidden layers of the heads.
        units: usize = 96, within(1.0, 4096.0);
        /// Smallest deviation of the stochastic part.
        min_std: f64 = 0.1, within(1e-4, 10.0);
        /// Whether joint states are observed beside the image.
        joints: bool = true;
        /// Reward heads.
        reward: RewardHeads;
        /// Head that the bundle's reward graph has and the gates measure; by default the only one, and with both the one
        /// that regresses.
        plan_with: RewardKind;
        /// Heads beside the prior that predict the posterior mean from h', each trained on other episodes: they disagree where
        /// there were no data. 0 for none; they change nothing else. Two-stage recipe with a deterministic part only.
        ensemble: usize, at_most(32.0);
        /// What the bundle's reward graph takes off the output of the reward head, in its unit, in states far from the data:
        /// half of it where the heads of the ensemble disagree as in the least known twentieth of the predictions on training
        /// data, all of it further away (docs/decisions/0008). 0 for nothing. It may be changed when a bundle is exported.
        penalty: f64, within(0.0, 1e6);
    }
}

latco_controller::settings! {
    /// Training of the world model.
    pub struct TrainingConfig {
        /// Optimiser steps.
        steps: usize = 3000, within(1.0, 1e8);
        /// Sequences per step.
        batch: usize = 64, within(1.0, 4096.0);
        /// Frames per sequence.
        sequence: usize = 20, within(2.0, 1000.0);
        /// Learning rate at the first step; it falls along a cosine.
        learning_rate: f64 = 2e-3, within(1e-8, 1.0);
        /// Learning rate at the last step.
        final_learning_rate: f64 = 2e-4, within(1e-8, 1.0);
        /// Adam's epsilon.
        epsilon: f64 = 1e-8, within(0.0, 1.0);
        /// Largest norm of the gradient.
        clip: f64 = 20.0, within(1e-6, 1e9);
        /// Share of the sequences that begin where an episode begins.
        at_start: f64 = 0.25, within(0.0, 1.0);
        /// Share of the sequences drawn from the recent bags (`--recent`), if there are any.
        recent_share: f64 = 0.5, within(0.0, 1.0);
        /// Weight of the KL divergence.
        kl_weight: f64 = 1.0, within(0.0, 1e6);
        /// Share of the KL gradient that goes to the prior; 0 for the plain divergence.
        kl_balance: f64 = 0.8, within(0.0, 1.0);
        /// Divergence per step that costs nothing.
        free_nats: f64 = 0.5, within(0.0, 1e6), unit_of("nats");
        /// Weight of the image code's mean squared error (two-stage), or of half the summed squared error of the pixels
        /// (PlaNet).
        image_weight: f64 = 10.0, within(0.0, 1e6);
        /// Weight of the normalised joints' mean squared error.
        joints_weight: f64 = 50.0, within(0.0, 1e6);
        /// Weight of the reward loss, of each head.
        reward_weight: f64 = 10.0, within(0.0, 1e6);
        /// Whether rewards are learned less the running mean and over the running deviation of those drawn so far, for dense
        /// rewards; the bundle predicts them in their own unit.
        normalise_reward: bool;
        /// Length of the rollouts of the prior mean that are trained on; 0 for none. Two-stage recipe only.
        rollout_steps: usize = 8, at_most(200.0);
        /// Weight of the rollout loss on image code, joints and reward.
        rollout_weight: f64 = 1.0, within(0.0, 1e6);
        /// Largest distance of latent overshooting (PlaNet), steps: beliefs that the prior predicts 2 to that many steps ahead
        /// are held against the posterior. 0 for none.
        overshooting: usize, at_most(200.0);
        /// Weight of the divergence of latent overshooting, mean over the distances.
        overshooting_weight: f64 = 1.0, within(0.0, 1e6);
        /// Decay per step of the moving average of the weights that is exported; 0 for none.
        average: f64 = 0.995, within(0.0, 0.999_999);
        /// Steps between checkpoints, at which the held-out loss is measured and pictures are made.
        checkpoint_steps: usize = 500, within(1.0, 1e6);
        /// Measurements of the held-out loss without a new least value after which training ends early; it then keeps the
        /// weights of the least. 0 for never.
        patience: usize, at_most(1e6);
        /// Whether TensorBoard also gets pictures at every checkpoint: input, reconstruction, and open-loop prediction.
        pictures: bool = true;
    }
}
