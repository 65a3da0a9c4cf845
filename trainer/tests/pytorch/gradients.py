"""Writes the losses and gradients that tests/pytorch.rs compares the trainer's with.

In this folder, with Python 3.11 or later and the packages of requirements.txt:

    pip install -r requirements.txt
    python gradients.py

The stored numbers are from Python 3.11.7, PyTorch 2.13.0 and NumPy 2.4.6.

Autograd in f64 on the f32 weights and batch that the files hold or, for PlaNet, on numbers that the
test makes by the rule of `spread`: its kernels have 4 million elements, too many to store. Of a
large gradient the file holds the norm, products with spread numbers, and some elements.
"""

import tomllib
from pathlib import Path

import numpy as np
import torch

import world

HERE = Path(__file__).parent
JOINTS, ACTION = 4, 3
# Products and elements of each of PlaNet's gradients.
PRODUCTS, ELEMENTS = 8, 32


def spread(count, stream):
    """`count` numbers in -1..1, evenly spread, exact in f32: the top 24 bits of a mixed counter."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(stream << 32)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = (x ^ (x >> np.uint64(31))) >> np.uint64(40)
    return x.astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def double(values, shape):
    return torch.from_numpy(np.asarray(values, np.float64).reshape(shape))


def case(name):
    config = tomllib.loads((HERE / f"{name}.toml").read_text())
    return world.sizes_of(config, JOINTS, ACTION), config["training"]


def gradients(loss_of, weights, sizes, batch, training):
    p = {name: double(w, w.shape).requires_grad_() for name, w in weights.items()}
    loss, parts = loss_of(p, sizes, batch, training)
    loss.backward()
    losses = {"loss": loss.item()} | {name: value.item() for name, value in parts.items()}
    found = {f"loss/{name}": np.float64(value) for name, value in losses.items()}
    return found, {name: tensor.grad.numpy() for name, tensor in p.items()}


def overshooting_rows(training):
    """Rows of noise for latent overshooting."""
    distance = training.get("overshooting", 0)
    return max(0, distance - 1) * (training["sequence"] - distance) * training["batch"]


def on_codes(name):
    sizes, training = case(name)
    random = np.random.default_rng(5)
    weights = {
        name: (random.normal(size=shape) * (shape[0] ** -0.5 if shape[0] > 1 else 0.2)).astype("f4")
        for name, shape in world.shapes(sizes).items()
    }
    count = training["batch"] * training["sequence"]
    batch = {
        "embed": random.normal(size=(count, sizes.embed)),
        "before": random.normal(size=(count, ACTION)),
        "after": random.normal(size=(count, ACTION)),
        "rewards": random.random((count, 1)) < 0.3,
        "noise": random.normal(size=(count, sizes.stoch)),
        "overshooting": random.normal(size=(overshooting_rows(training), sizes.stoch)),
    }
    batch = {key: x.astype(np.float32) for key, x in batch.items()}
    inputs = {key: double(x, x.shape) for key, x in batch.items()}
    found, grads = gradients(world.two_stage_loss, weights, sizes, inputs, training)
    found |= {f"batch/{key}": x for key, x in batch.items()}
    for key, gradient in grads.items():
        found |= {f"weight/{key}": weights[key], f"gradient/{key}": gradient}
    write(name, found)


def write(name, found):
    np.savez_compressed(HERE / f"{name}.npz", **found)
    print(name, {key: float(x) for key, x in found.items() if key.startswith("loss/")})


def planet():
    sizes, training = case("planet")
    shapes = world.shapes(sizes)
    weights, scales = {}, {}
    for index, (name, shape) in enumerate(shapes.items()):
        # Of a kernel such that its outputs are about as large as its inputs.
        fan_in = np.prod(shape) / shape[0 if name.startswith("encoder") else 1 % len(shape)]
        scale = np.float32(0.1 if name.endswith(".b") else (3 / fan_in) ** 0.5)
        scales[name] = scale
        weights[name] = spread(np.prod(shape), 100 + index).reshape(shape) * scale
    count = training["batch"] * training["sequence"]
    # No activation of these images is so near zero that rounding decides whether a ReLU passes it.
    noise = overshooting_rows(training)
    batch = {
        "images": double(spread(count * 3 * 64 * 64, 61) * np.float32(0.5), (count, 3, 64, 64)),
        "before": double(spread(count * ACTION, 2), (count, ACTION)),
        "after": double(spread(count * ACTION, 5), (count, ACTION)),
        "rewards": double(spread(count, 3), (count, 1)),
        "noise": double(spread(count * sizes.stoch, 4), (count, sizes.stoch)),
        "overshooting": double(spread(noise * sizes.stoch, 6), (noise, sizes.stoch)),
    }
    found, grads = gradients(world.planet_loss, weights, sizes, batch, training)
    flat = [grads[name].ravel() for name in shapes]
    product = lambda g, k: g @ spread(len(g), 10 + k)
    # One row per parameter, in the order of `shapes`.
    found["scales"] = np.array([scales[name] for name in shapes])
    found["norms"] = np.array([np.linalg.norm(g) for g in flat])
    found["products"] = np.array([[product(g, k) for k in range(PRODUCTS)] for g in flat])
    found["elements"] = np.array([g[np.arange(ELEMENTS) * 7919 % len(g)] for g in flat])
    write("planet", found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    on_codes("two_stage")
    on_codes("ssm")
    planet()
