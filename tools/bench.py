"""Time the NumPy cells of `helpers.cells` against PyTorch's modules, on one thread.

    make bench                           print the ratios
    python tools/bench.py --check        also fail if the GRU is slower than accepted

Both sides get the same weights and the same float32 input. In every round the two run one after
the other, in an order that alternates, and the ratio is taken inside the round; so a busy moment of
the machine hits both. Printed: the median ratio over the rounds, and the middle half of them.

"forward" is PyTorch without gradients (its fastest mode) against `forward`, which always keeps
what `backward` needs. "forward + backward" gives the gradients of all parameters, of the input and
of the initial state on both sides.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import threadpoolctl
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from helpers import cells, costs

SIZES = [  # (T, B, I, H): steps, batch, inputs, hidden units
    (100, 32, 64, 128),  # the size that --check judges
    (50, 32, 64, 64),
    (30, 64, 1, 100),
    (200, 64, 16, 32),
    (100, 32, 128, 256),
]
# Times of NumPy over times of PyTorch that --check accepts for the GRU at the first size.
ACCEPTED = {"forward": 1.25, "forward + backward": 1.5}


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


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31, help="paired rounds (default: 31)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="measure only the GRU at the first size; exit with 1 if its ratio is above "
        + " or ".join(f"{limit} ({kind})" for kind, limit in ACCEPTED.items()),
    )
    options = parser.parse_args(arguments)
    if options.rounds < 4:
        parser.error(f"--rounds must be 4 or more, got {options.rounds}")

    torch.set_num_threads(1)
    too_slow = []
    with threadpoolctl.threadpool_limits(limits=1):
        print(f"NumPy {np.__version__} over PyTorch {torch.__version__}, float32, one thread")
        print(f"{options.rounds} paired rounds; a ratio below 1 means that NumPy is faster\n")
        print("cell  T, B, I, H           pass                ratio")
        for size in SIZES[:1] if options.check else SIZES:
            for name in ("GRU",) if options.check else ("RNN", "GRU", "LSTM"):
                for kind, pair in make_pair(name, size).items():
                    ratio = costs.time_ratio(*pair, pairs=options.rounds)
                    print(f"{name:5} {', '.join(map(str, size)):20} {kind:19} {ratio}", flush=True)
                    if (name, size) == ("GRU", SIZES[0]) and ratio.median > ACCEPTED[kind]:
                        too_slow.append(
                            f"{kind} takes {ratio.median:.2f} times, accepted {ACCEPTED[kind]}"
                        )
    if options.check:
        for complaint in too_slow:
            print(f"GRU too slow at T, B, I, H = {SIZES[0]}: {complaint}", file=sys.stderr)
        return 1 if too_slow else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
