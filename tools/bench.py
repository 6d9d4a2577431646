"""Time the NumPy cells of `helpers.cells` against PyTorch's modules, on one thread.

Both sides get the same weights and the same float32 input. In every round the two run one after
the other, in an order that alternates, and the ratio is taken inside the round; so a busy moment of
the machine hits both. Printed: the median ratio over the rounds, and the middle half of them.

"forward" is PyTorch without gradients (its fastest mode) against `forward`, which always keeps
what `backward` needs. "forward + backward" gives the gradients of all parameters, of the input and
of the initial state on both sides.
"""

import argparse

import numpy as np
import threadpoolctl
import torch

from helpers import cells, costs

SIZES = [  # (T, B, I, H): steps, batch, inputs, hidden units
    (100, 32, 64, 128),
    (50, 32, 64, 64),
    (30, 64, 1, 100),
    (200, 64, 16, 32),
    (100, 32, 128, 256),
]


def make_pair(name, size):
    """Four functions for one cell and one size: {pass: (run in NumPy, run in PyTorch)}."""
    steps, batch, inputs, hidden = size
    torch.manual_seed(0)
    module = getattr(torch.nn, name)(inputs, hidden)
    cell = getattr(cells, name).from_torch(module)
    x = torch.randn(steps, batch, inputs)
    start = [torch.zeros(1, batch, hidden) for _ in range(2 if name == "LSTM" else 1)]
    grad_states = torch.randn(steps, batch, hidden)
    as_state = tuple if name == "LSTM" else (lambda items: items[0])
    x_np, grad_np = x.numpy(), grad_states.numpy()
    start_np = as_state([s[0].numpy() for s in start])
    x_leaf = x.clone().requires_grad_()
    start_leaf = [s.clone().requires_grad_() for s in start]

    def torch_forward():
        with torch.no_grad():
            return module(x, as_state(start))

    def torch_both():
        for leaf in (x_leaf, *start_leaf, *module.parameters()):
            leaf.grad = None
        module(x_leaf, as_state(start_leaf))[0].backward(grad_states)

    def numpy_forward():
        return cell.forward(x_np, start_np)

    def numpy_both():
        cell.forward(x_np, start_np)
        return cell.backward(grad_np)

    return {
        "forward": (numpy_forward, torch_forward),
        "forward + backward": (numpy_both, torch_both),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31, help="paired rounds (default: 31)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(limits=1):
        print(f"NumPy {np.__version__} over PyTorch {torch.__version__}, float32, one thread")
        print(f"{rounds} paired rounds; a ratio below 1 means that NumPy is faster\n")
        print("cell  T, B, I, H           pass                ratio")
        for size in SIZES:
            for name in ("RNN", "GRU", "LSTM"):
                for kind, pair in make_pair(name, size).items():
                    ratio = costs.time_ratio(*pair, pairs=rounds)
                    print(f"{name:5} {', '.join(map(str, size)):20} {kind:19} {ratio}", flush=True)
