"""MetaWorld as the LatCo paper has it: its camera, random starts of the hand, and goals that stay or are drawn anew."""

import mujoco
import numpy
from metaworld import policies
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

# Where object and goal are when they stay: what MetaWorld's tasks had as their usual places.
PLACES = {
    "reach-v3": [0.0, 0.6, 0.02, -0.1, 0.8, 0.2],
    "button-press-v3": [0.0, 0.9, 0.115],
    "drawer-close-v3": [0.0, 0.9, 0.0],
    "window-close-v3": [0.0, 0.785, 0.2],
}
POLICIES = {
    "reach-v3": policies.SawyerReachV3Policy,
    "button-press-v3": policies.SawyerButtonPressV3Policy,
    "drawer-close-v3": policies.SawyerDrawerCloseV3Policy,
    "window-close-v3": policies.SawyerWindowCloseV3Policy,
}
CAMERA = {"azimuth": 25.0, "elevation": -15.0, "distance": 2.6, "lookat": numpy.array([1.1, 1.1, -0.1])}
# The hand begins in this box, in m.
HAND_LOW, HAND_HIGH = [-0.25, 0.45, 0.1], [0.25, 0.75, 0.35]


class Adapter:
    def __init__(self, settings):
        self.task = settings["id"]
        if self.task not in PLACES:
            raise ValueError(f"environment.id: expected one of {', '.join(PLACES)}, found {self.task}")
        self.size = settings["picture"]
        self.goal_is_drawn = settings["options"].get("goal", "fixed") == "drawn"
        # MetaWorld's policies correct their error at every step; here an action is held for several.
        self.gain = settings["options"].get("gain", 1.0)
        self.policy = POLICIES[self.task]()

    def make(self):
        width, height = self.size
        env = ALL_V3_ENVIRONMENTS[self.task](render_mode="rgb_array", width=width, height=height)
        env.mujoco_renderer.default_cam_config = CAMERA
        env.max_path_length = 10**9
        env._set_task_called = True
        # The scripted policy sees the goal.
        env._partially_observable = False
        del env.sawyer_observation_space
        return env

    def reset(self, env, seed):
        draw = numpy.random.default_rng(seed)
        env.hand_init_pos = draw.uniform(HAND_LOW, HAND_HIGH)
        box = env._random_reset_space
        env._last_rand_vec = draw.uniform(box.low, box.high) if self.goal_is_drawn else numpy.array(PLACES[self.task])
        while len(env._last_rand_vec) == 6 and numpy.linalg.norm(env._last_rand_vec[:2] - env._last_rand_vec[3:5]) < 0.15:
            env._last_rand_vec = draw.uniform(box.low, box.high)
        env._freeze_rand_vec = True
        observation, info = env.reset()
        mujoco.mj_forward(env.model, env.data)
        return observation, info

    def expert(self, env, observation):
        action = self.policy.get_action(observation)
        action[:3] *= self.gain
        return numpy.clip(action, -1, 1)
