"""The world models of the trainer in PyTorch, written from their equations.

Parameters are a dictionary by the names of the Rust side: dense kernels `[in, out]`, biases
`[1, out]`, kernels of convolutions `[out, in, k, k]`, of transposed ones `[in, out, k, k]`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

ENCODER = [(32, 4), (64, 4), (128, 4), (256, 4)]
DECODER = [(128, 5), (64, 5), (32, 6), (3, 6)]
FEATURES = 1024


@dataclass
class Sizes:
    """Widths; `code` 0 for PlaNet, which predicts images; `deter` 0 for its SSM."""

    stoch: int
    deter: int
    hidden: int
    units: int
    code: int
    joints: int
    action: int
    min_std: float
    reward: str

    @property
    def embed(self):
        return (self.code or FEATURES) + self.joints

    @property
    def feature(self):
        """Of what prior and posterior start from: h', or the input layer's output without h."""
        return self.deter or self.hidden


def sizes_of(config, joints, action):
    """Sizes of a training configuration for data with so many joint values and actions."""
    model = config["model"]
    planet = config["recipe"] == "planet"
    return Sizes(
        stoch=model["stoch"],
        deter=model["deter"],
        hidden=model["hidden"],
        units=model["units"],
        code=0 if planet else config["autoencoder"]["code"],
        joints=joints if model.get("joints", True) else 0,
        action=action,
        min_std=model["min_std"],
        reward=model["reward"],
    )


def shapes(sizes):
    """Names and shapes of all parameters."""
    found = {}

    def dense(name, inputs, outputs):
        found[f"{name}.kernel"], found[f"{name}.bias"] = (inputs, outputs), (1, outputs)

    def mlp(name, *widths):
        for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            dense(f"{name}.{index}", inputs, outputs)

    s, state = sizes, sizes.stoch + sizes.deter
    if not s.code:
        inputs = 3
        for index, (outputs, k) in enumerate(ENCODER):
            found[f"encoder.conv{index + 1}.kernel"] = (outputs, inputs, k, k)
            found[f"encoder.conv{index + 1}.bias"] = (outputs,)
            inputs = outputs
        dense("decoder.input", state, FEATURES)
        inputs = FEATURES
        for index, (outputs, k) in enumerate(DECODER):
            found[f"decoder.conv{index + 1}.kernel"] = (inputs, outputs, k, k)
            found[f"decoder.conv{index + 1}.bias"] = (outputs,)
            inputs = outputs
    dense("input", s.stoch + s.action, s.hidden)
    if s.deter:
        dense("gru_input", s.hidden, 3 * s.deter)
        dense("gru_recurrent", s.deter, 3 * s.deter)
    dense("prior", s.feature, s.hidden)
    dense("prior_moments", s.hidden, 2 * s.stoch)
    dense("posterior", s.feature + s.embed, s.hidden)
    dense("posterior_moments", s.hidden, 2 * s.stoch)
    if s.code:
        mlp("code", state, s.units, s.units, s.code)
    if s.joints:
        mlp("joints", state, s.units, s.joints)
    mlp("reward", state, s.units, s.units, 1)
    if s.reward == "both":
        mlp("reward_logit", state, s.units, s.units, 1)
    return found


def dense(p, name, x):
    return torch.addmm(p[f"{name}.bias"], x, p[f"{name}.kernel"])


def mlp(p, name, layers, x):
    for index in range(layers):
        x = dense(p, f"{name}.{index}", x)
        if index + 1 < layers:
            x = F.elu(x)
    return x


def advance(p, sizes, stoch, deter, action):
    """What prior and posterior start from: h' of a GRU that resets after the product, gates in the
    order update, reset, candidate; without h the GRU's input."""
    x = F.elu(dense(p, "input", torch.cat([stoch, action], 1)))
    if not sizes.deter:
        return x
    xu, xr, xc = dense(p, "gru_input", x).split(sizes.deter, 1)
    hu, hr, hc = dense(p, "gru_recurrent", deter).split(sizes.deter, 1)
    update, reset = torch.sigmoid(xu + hu), torch.sigmoid(xr + hr)
    candidate = torch.tanh(xc + reset * hc)
    return update * deter + (1 - update) * candidate


def belief(p, sizes, name, x):
    moments = dense(p, f"{name}_moments", F.elu(dense(p, name, x)))
    mean, raw = moments.split(sizes.stoch, 1)
    return mean, F.softplus(raw) + sizes.min_std


def state_of(sizes, stoch, feature):
    """z = [s, h]."""
    return torch.cat([stoch, feature], 1) if sizes.deter else stoch


def filtered(p, sizes, embed, before, noise, batch):
    """Posterior, prior, samples and h of a batch in rows t * batch + b, from zero states."""
    stoch = embed.new_zeros(batch, sizes.stoch)
    feature = embed.new_zeros(batch, sizes.feature)
    steps = zip(embed.split(batch), before.split(batch), noise.split(batch))
    found = []
    for embed_t, before_t, noise_t in steps:
        feature = advance(p, sizes, stoch, feature, before_t)
        mean, std = belief(p, sizes, "posterior", torch.cat([feature, embed_t], 1))
        stoch = mean + std * noise_t
        found.append((mean, std, stoch, feature))
    mean, std, sample, feature = (torch.cat(parts) for parts in zip(*found))
    return (mean, std), belief(p, sizes, "prior", feature), sample, feature


def divergence(q, p):
    """KL(q || p) of diagonal Gaussians by row, nats."""
    (qm, qs), (pm, ps) = q, p
    terms = torch.log(ps / qs) + (qs**2 + (qm - pm) ** 2) / (2 * ps**2) - 0.5
    return terms.sum(1)


def balanced(q, p, balance, free):
    """The loss and the divergence itself."""
    fixed = lambda b: tuple(x.detach() for x in b)
    measured = divergence(fixed(q), fixed(p)).mean()
    if balance <= 0:
        return divergence(q, p).clamp(min=free).mean(), measured
    to_prior = divergence(fixed(q), p).clamp(min=free)
    to_posterior = divergence(q, fixed(p)).clamp(min=free)
    return (balance * to_prior + (1 - balance) * to_posterior).mean(), measured


def overshot(p, sizes, q, sample, feature, batch, training):
    """Latent overshooting: the loss and the divergence itself. Beliefs predicted 2 steps ahead and
    more from samples, against the posterior as it is."""
    count, distance = training["batch"], training["overshooting"]
    rows = len(sample) - distance * count
    stoch, feature = sample[:rows], feature[:rows]
    found = []
    for k in range(1, distance + 1):
        action = batch["after"][(k - 1) * count :][:rows]
        feature = advance(p, sizes, stoch, feature, action)
        prior = belief(p, sizes, "prior", feature)
        if k > 1:
            posterior = tuple(x[k * count :][:rows].detach() for x in q)
            found.append(divergence(posterior, prior))
        if k < distance:
            noise = batch["overshooting"][(k - 1) * rows :][:rows]
            stoch = prior[0] + prior[1] * noise
    found = torch.cat(found)
    return found.clamp(min=training["free_nats"]).mean(), found.detach().mean()


def cross_entropy(logit, target):
    return F.binary_cross_entropy_with_logits(logit, target)


def predictions(p, sizes, state, target, training):
    """Losses of the heads by name, with their weights. Where there are both reward heads, the
    gradient of the regression does not reach the state."""
    squared = lambda x, y: ((x - y) ** 2).mean()
    found, both = {}, sizes.reward == "both"
    weight = training["reward_weight"]
    if sizes.reward != "bernoulli_logit":
        reward = mlp(p, "reward", 3, state.detach() if both else state)
        found["reward"] = squared(reward, target["reward"]), weight
    if sizes.reward != "regression":
        logit = mlp(p, "reward_logit" if both else "reward", 3, state)
        name = "reward_logit" if both else "reward"
        found[name] = cross_entropy(logit, target["reward"]), weight
    code = mlp(p, "code", 3, state)
    found["code"] = squared(code, target["code"]), training["image_weight"]
    if sizes.joints:
        joints = mlp(p, "joints", 2, state)
        found["joints"] = squared(joints, target["joints"]), training["joints_weight"]
    return found


def two_stage_loss(p, sizes, batch, training):
    """Loss on codes and joints, and its parts by name before weighting."""
    count, steps = training["batch"], training["rollout_steps"]
    embed = batch["embed"]
    q, prior, sample, feature = filtered(p, sizes, embed, batch["before"], batch["noise"], count)
    kl, measured = balanced(q, prior, training["kl_balance"], training["free_nats"])
    target = {
        "code": embed[:, : sizes.code],
        "joints": embed[:, sizes.code :],
        "reward": batch["rewards"],
    }
    found = predictions(p, sizes, state_of(sizes, sample, feature), target, training)
    parts = {name: value for name, (value, _) in found.items()}
    loss = sum(value * weight for value, weight in found.values())
    loss, parts["kl"] = loss + kl * training["kl_weight"], measured
    if training.get("overshooting"):
        error, parts["overshooting"] = overshot(p, sizes, q, sample, feature, batch, training)
        loss = loss + error * training.get("overshooting_weight", 1)
    if steps:
        rows = len(embed) - steps * count
        mean, feature = q[0][:rows], feature[:rows]
        states = []
        for k in range(steps):
            feature = advance(p, sizes, mean, feature, batch["after"][k * count :][:rows])
            mean, _ = belief(p, sizes, "prior", feature)
            states.append(state_of(sizes, mean, feature))
        ahead = lambda x: torch.cat([x[k * count :][:rows] for k in range(1, steps + 1)])
        target = {name: ahead(x) for name, x in target.items()}
        found = predictions(p, sizes, torch.cat(states), target, training)
        parts |= {f"rollout_{name}": value for name, (value, _) in found.items()}
        rollout = sum(value * weight for value, weight in found.values())
        loss = loss + rollout * training["rollout_weight"]
    return loss, parts


def encode(p, images):
    for index in range(1, len(ENCODER) + 1):
        images = F.conv2d(images, p[f"encoder.conv{index}.kernel"], p[f"encoder.conv{index}.bias"], 2)
        images = F.relu(images)
    return images.flatten(1)


def decode(p, state):
    x = dense(p, "decoder.input", state)[:, :, None, None]
    for index in range(1, len(DECODER) + 1):
        w, b = p[f"decoder.conv{index}.kernel"], p[f"decoder.conv{index}.bias"]
        x = F.conv_transpose2d(x, w, b, 2)
        if index < len(DECODER):
            x = F.relu(x)
    return x


def planet_loss(p, sizes, batch, training):
    """PlaNet's loss, images and rewards of unit variance, and its parts by name before weighting."""
    images = batch["images"]
    halved = lambda x, y: 0.5 * ((x - y) ** 2).sum() / len(images)
    q, prior, sample, feature = filtered(
        p, sizes, encode(p, images), batch["before"], batch["noise"], training["batch"]
    )
    kl, measured = balanced(q, prior, training["kl_balance"], training["free_nats"])
    state = state_of(sizes, sample, feature)
    parts = {
        "image": halved(decode(p, state), images),
        "reward": halved(mlp(p, "reward", 3, state), batch["rewards"]),
        "kl": measured,
    }
    loss = parts["image"] * training["image_weight"] + parts["reward"] * training["reward_weight"]
    loss = loss + kl * training["kl_weight"]
    if training.get("overshooting"):
        error, parts["overshooting"] = overshot(p, sizes, q, sample, feature, batch, training)
        loss = loss + error * training.get("overshooting_weight", 1)
    return loss, parts
