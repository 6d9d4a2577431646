"""The NumPy cells against PyTorch, against finite differences, and at their edges."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.cells import GRU, LSTM, RNN, sigmoid

FORWARD, GRADIENT = 1e-12, 1e-10  # largest difference from PyTorch in float64
ROOT = Path(__file__).resolve().parents[1]

# Every cell in every form: what a test can loop over.
FORMS = {
    "RNN": lambda *sizes, **options: RNN(*sizes, **options),
    "GRU after": lambda *sizes, **options: GRU(*sizes, reset="after", **options),
    "GRU before": lambda *sizes, **options: GRU(*sizes, reset="before", **options),
    "GRU None": lambda *sizes, **options: GRU(*sizes, reset=None, **options),
    "LSTM": lambda *sizes, **options: LSTM(*sizes, **options),
}
PAIRS = {"RNN": (RNN, torch.nn.RNN), "GRU": (GRU, torch.nn.GRU), "LSTM": (LSTM, torch.nn.LSTM)}

every_form = pytest.mark.parametrize("form", FORMS)
every_pair = pytest.mark.parametrize("name", PAIRS)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def draw(rng, *shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


def draw_state(rng, cell, batch):
    h = draw(rng, batch, cell.hidden_size, dtype=cell.dtype)
    return (h, draw(rng, batch, cell.hidden_size, dtype=cell.dtype)) if type(cell) is LSTM else h


def hidden(state):
    """h of a state: the state itself, or the first of the LSTM's pair."""
    return state[0] if isinstance(state, tuple) else state


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


def largest_difference(ours, theirs):
    return float(np.abs(ours - theirs.detach().numpy()).max())


# ---- against PyTorch -----------------------------------------------------------------------------


def compare_with_torch(
    name, steps, batch, inputs, hidden_size, bias, batch_first, with_state, seed=0
):
    """The largest differences (forward, gradients) between a module and the cell made from it.

    The cell takes the layout over with the weights: both get the same x and the same gradient.
    """
    cell_class, module_class = PAIRS[name]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    module = module_class(inputs, hidden_size, bias=bias, batch_first=batch_first).double()
    cell = cell_class.from_torch(module)
    assert cell.bias is bias and len(cell.params) == (4 if bias else 2)

    lead = (batch, steps) if batch_first else (steps, batch)
    x = draw(rng, *lead, inputs)
    grad_states = draw(rng, *lead, hidden_size)
    at_end = (slice(None), -1) if batch_first else -1
    state = draw_state(rng, cell, batch)
    leaf = torch.tensor(x, requires_grad=True)
    starts = [torch.tensor(part[None], requires_grad=True) for part in as_list(state)]
    given_state = None
    if with_state:
        given_state = tuple(starts) if name == "LSTM" else starts[0]

    output, last = module(leaf, given_state)
    loss = (output * torch.tensor(grad_states)).sum()
    grad_cells = None
    if name == "LSTM":  # a loss that uses the last cell state too
        grad_cells = np.zeros_like(grad_states)
        grad_cells[at_end] = draw(rng, batch, hidden_size)
        loss = loss + (last[1][0] * torch.tensor(grad_cells[at_end])).sum()
    loss.backward()

    states = cell.forward(x, state if with_state else None)
    forward = largest_difference(states, output)
    if name == "LSTM":
        forward = max(forward, largest_difference(cell.cell_states[at_end], last[1][0]))
        grads = cell.backward(grad_states, grad_cells)
    else:
        grads = cell.backward(grad_states)
    assert grads.keys() == {*cell.params, "x", "state"}
    theirs = {
        "W_x": "weight_ih_l0",
        "W_h": "weight_hh_l0",
        "b_x": "bias_ih_l0",
        "b_h": "bias_hh_l0",
    }
    gradient = largest_difference(grads["x"], leaf.grad)
    for parameter in cell.params:
        expected = getattr(module, theirs[parameter]).grad
        assert grads[parameter].shape == tuple(expected.shape)
        gradient = max(gradient, largest_difference(grads[parameter], expected))
    if with_state:
        for ours, start in zip(as_list(grads["state"]), starts, strict=True):
            gradient = max(gradient, largest_difference(ours, start.grad[0]))
    return forward, gradient


@every_pair
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("with_state", [True, False])
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1, 1), (5, 3, 7, 13), (37, 64, 5, 17), (200, 1, 3, 33), (200, 64, 9, 31)],
    ids=str,
)
def test_equals_pytorch(name, sizes, bias, batch_first, with_state):
    forward, gradient = compare_with_torch(name, *sizes, bias, batch_first, with_state)
    assert forward < FORWARD
    assert gradient < GRADIENT


@every_pair
@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(1, 30),
    batch=st.integers(1, 9),
    inputs=st.integers(1, 11),
    hidden_size=st.integers(1, 19),
    bias=st.booleans(),
    batch_first=st.booleans(),
    with_state=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_pytorch_at_any_shape(name, **options):
    forward, gradient = compare_with_torch(name, **options)
    assert forward < FORWARD
    assert gradient < GRADIENT


def gru_in_torch(p, x, h, reset):
    """The two forms of the GRU that PyTorch lacks, gate by gate in plain torch operations."""
    size = h.shape[1]
    blocks = [slice(k * size, (k + 1) * size) for k in range(3 if reset else 2)]

    def product(block, which, v):
        return v @ p[f"W_{which}"][block].T + p[f"b_{which}"][block]

    states = []
    for x_t in x:
        z = torch.sigmoid(product(blocks[-2], "x", x_t) + product(blocks[-2], "h", h))
        seen = h
        if reset == "before":
            seen = torch.sigmoid(product(blocks[0], "x", x_t) + product(blocks[0], "h", h)) * h
        n = torch.tanh(product(blocks[-1], "x", x_t) + product(blocks[-1], "h", seen))
        h = (1 - z) * n + z * h
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("reset", ["before", None])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (6, 5, 3, 7), (200, 3, 5, 11), (25, 64, 4, 9)], ids=str
)
def test_other_reset_forms_equal_autograd(reset, sizes):
    steps, batch, inputs, hidden_size = sizes
    rng = np.random.default_rng(1)
    cell = GRU(inputs, hidden_size, reset=reset, seed=1)
    x, state = draw(rng, steps, batch, inputs), draw(rng, batch, hidden_size)
    grad_states = draw(rng, steps, batch, hidden_size)
    leaves = {
        name: torch.tensor(array, requires_grad=True)
        for name, array in {**cell.params, "x": x, "state": state}.items()
    }
    expected = gru_in_torch(leaves, leaves["x"], leaves["state"], reset)
    expected.backward(torch.tensor(grad_states))
    assert largest_difference(cell.forward(x, state), expected) < FORWARD
    grads = cell.backward(grad_states)
    for name, leaf in leaves.items():
        assert largest_difference(grads[name], leaf.grad) < GRADIENT, name


def test_reset_before_and_after_differ_with_the_same_weights():
    x = draw(np.random.default_rng(2), 20, 3, 4)
    after, before = GRU(4, 8, reset="after", seed=3), GRU(4, 8, reset="before", seed=3)
    assert np.abs(after.forward(x) - before.forward(x)).max() > 1e-3


# ---- against finite differences ------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_equal_finite_differences(form, bias):
    rng = np.random.default_rng(4)
    steps, batch, inputs, hidden_size, width = 7, 3, 5, 4, 1e-5
    cell = FORMS[form](inputs, hidden_size, bias=bias, seed=4)
    x, state = draw(rng, steps, batch, inputs), draw_state(rng, cell, batch)
    weights = draw(rng, steps, batch, hidden_size)
    cell.forward(x, state)
    grads = cell.backward(weights)

    inputs_of_loss = dict(cell.params) | {"x": x}
    expected = {name: grads[name] for name in inputs_of_loss}
    for index, (array, gradient) in enumerate(
        zip(as_list(state), as_list(grads["state"]), strict=True)
    ):
        inputs_of_loss[f"state {index}"], expected[f"state {index}"] = array, gradient
    for name, array in inputs_of_loss.items():
        numeric = np.empty_like(array)
        for place in np.ndindex(array.shape):
            kept, sides = array[place], []
            for sign in (1, -1):
                array[place] = kept + sign * width
                sides.append((cell.forward(x, state) * weights).sum())
            array[place] = kept
            numeric[place] = (sides[0] - sides[1]) / (2 * width)
        assert numeric.any(), f"{name}: all zero, so the comparison would prove nothing"
        error = np.abs(numeric - expected[name]).max()
        assert error < 1e-8, name


@every_form
def test_state_gradients_are_the_gradients_at_every_step(form):
    """dL/dh_t is the gradient of the state that a run from step t on would start with."""
    rng = np.random.default_rng(5)
    cell = FORMS[form](3, 6, seed=5)
    x, weights = draw(rng, 9, 2, 3), draw(rng, 9, 2, 6)
    states = cell.forward(x)
    cell_states = cell.cell_states if form == "LSTM" else None
    cell.backward(weights)
    found = cell.state_gradients
    assert found.shape == states.shape
    for t in (0, 4, 7):
        start = states[t] if cell_states is None else (states[t], cell_states[t])
        cell.forward(x[t + 1 :], start)
        rest = hidden(cell.backward(weights[t + 1 :])["state"])
        np.testing.assert_allclose(found[t], weights[t] + rest, rtol=0, atol=1e-12)


# ---- step, forward and gates agree ---------------------------------------------------------------


@every_form
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("with_state", [True, False])
def test_steps_equal_forward(form, bias, with_state):
    rng = np.random.default_rng(6)
    cell = FORMS[form](5, 7, bias=bias, seed=6)
    x = draw(rng, 50, 3, 5)
    state = draw_state(rng, cell, 3) if with_state else None
    states = cell.forward(x, state)
    for t in range(len(x)):
        state = cell.step(x[t], state)
        np.testing.assert_allclose(hidden(state), states[t], rtol=0, atol=FORWARD)
    if form == "LSTM":
        np.testing.assert_allclose(state[1], cell.cell_states[-1], rtol=0, atol=FORWARD)


@every_form
@pytest.mark.parametrize("with_state", [True, False])
def test_gates_explain_the_states(form, with_state):
    rng = np.random.default_rng(7)
    cell = FORMS[form](4, 6, seed=7)
    x, start = draw(rng, 12, 3, 4), draw_state(rng, cell, 3)
    gates = cell.gates(x, start if with_state else None)
    assert tuple(gates) == cell.parts
    states = cell.forward(x, start if with_state else None)
    assert all(values.shape == states.shape for values in gates.values())
    for part, values in gates.items():
        assert values.min() > (-1 if part == "candidate" else 0) and values.max() < 1
    first = hidden(start) if with_state else np.zeros((3, 6))
    before = np.concatenate([first[None], states[:-1]])
    n = gates["candidate"]
    if form == "RNN":
        expected = n
    elif form == "LSTM":
        c = start[1] if with_state else np.zeros((3, 6))
        cells = np.concatenate([c[None], cell.cell_states[:-1]])
        cells = gates["forget"] * cells + gates["input"] * n
        np.testing.assert_allclose(cells, cell.cell_states, rtol=0, atol=1e-14)
        expected = gates["output"] * np.tanh(cells)
    else:
        z = gates["update"]
        expected = (1 - z) * n + z * before
        if cell.reset:  # the reset gate, from its equation
            rows, p = cell.rows("reset"), cell.params
            pre = x @ p["W_x"][rows].T + p["b_x"][rows] + before @ p["W_h"][rows].T + p["b_h"][rows]
            np.testing.assert_allclose(gates["reset"], 1 / (1 + np.exp(-pre)), rtol=0, atol=1e-14)
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-14)


@every_form
def test_gates_and_step_leave_the_latest_forward_alone(form):
    rng = np.random.default_rng(8)
    cell = FORMS[form](3, 4, seed=8)
    x, other, weights = draw(rng, 6, 2, 3), draw(rng, 9, 5, 3), draw(rng, 6, 2, 4)
    cell.forward(x)
    expected = cell.backward(weights)
    cell.gates(other)
    cell.step(other[0])
    again = cell.backward(weights)
    np.testing.assert_array_equal(again["W_h"], expected["W_h"])


@every_form
def test_backward_belongs_to_the_latest_forward(form):
    rng = np.random.default_rng(9)
    cell = FORMS[form](3, 4, seed=9)
    first, second = draw(rng, 6, 2, 3), draw(rng, 8, 5, 3)
    weights = draw(rng, 8, 5, 4)
    cell.forward(second)
    expected = cell.backward(weights)
    states = cell.forward(first)
    kept = states.copy()
    cell.forward(second)
    np.testing.assert_array_equal(states, kept)  # no buffer is shared between two passes
    found = cell.backward(weights)
    for name in cell.params:
        np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(ValueError, match=r"grad_states must have the shape \(8, 5, 4\)"):
        cell.backward(weights[:6, :2])


@every_form
def test_nothing_given_or_returned_is_tied_to_the_inside(form):
    rng = np.random.default_rng(10)
    cell = FORMS[form](3, 4, seed=10)
    x, state, weights = draw(rng, 6, 2, 3), draw_state(rng, cell, 2), draw(rng, 6, 2, 4)
    given_arrays = [x, *as_list(state), weights, *cell.params.values()]
    kept = [array.copy() for array in given_arrays]
    states = cell.forward(x, state)
    expected = cell.backward(weights)
    cell.gates(x, state)
    cell.step(x[0], state)
    for array, copy in zip(given_arrays, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    states[:] = np.nan  # what the caller does to the states does not reach backward
    for array in as_list(state):
        array[:] = np.nan
    found = cell.backward(weights)
    for name in (*cell.params, "x"):
        np.testing.assert_array_equal(found[name], expected[name])
        found[name][:] = 0
    for array, copy in zip(cell.params.values(), kept[-len(cell.params) :], strict=True):
        np.testing.assert_array_equal(array, copy)
    if cell.bias:
        assert not np.shares_memory(found["b_x"], found["b_h"])


@every_form
def test_batch_first_and_memory_order_change_no_number(form):
    rng = np.random.default_rng(11)
    x, weights = draw(rng, 6, 2, 3), draw(rng, 6, 2, 4)
    state = draw_state(rng, FORMS[form](3, 4), 2)

    def everything(batch_first, given_x, given_weights):
        """Every array with a time axis as (T, B, ..), and every other one, by name."""
        cell = FORMS[form](3, 4, seed=11, batch_first=batch_first)
        assert ("batch_first=True" in repr(cell)) is batch_first
        timed = {"states": cell.forward(given_x, state), **cell.gates(given_x, state)}
        assert timed["states"].flags.c_contiguous
        if form == "LSTM":
            timed["cell_states"] = cell.cell_states
            grads = cell.backward(given_weights, given_weights)
        else:
            grads = cell.backward(given_weights)
        timed |= {"x": grads.pop("x"), "state_gradients": cell.state_gradients}
        others = dict(enumerate(as_list(grads.pop("state")))) | grads
        others["step"] = hidden(cell.step(x[0], state))
        return {n: a.swapaxes(0, 1) if batch_first else a for n, a in timed.items()} | others

    def turned(array):  # the same array with its first two axes exchanged in memory
        return np.ascontiguousarray(array.swapaxes(0, 1))

    expected = everything(False, x, weights)
    for found in (
        everything(True, turned(x), turned(weights)),
        everything(False, turned(x).swapaxes(0, 1), turned(weights).swapaxes(0, 1)),
        everything(True, x.swapaxes(0, 1), weights.swapaxes(0, 1)),
    ):
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=str(name))


# ---- gates fully open and fully closed -----------------------------------------------------------


@pytest.mark.parametrize("reset", ["after", "before", None])
def test_update_gate_keeps_and_replaces_exactly(reset):
    rng = np.random.default_rng(12)
    cell = GRU(3, 5, reset=reset, seed=12)
    x, state, weights = draw(rng, 30, 4, 3), draw(rng, 4, 5), draw(rng, 30, 4, 5)
    bias = cell.params["b_x"]

    bias[cell.rows("update")] = 1000  # z = 1: keep
    states = cell.forward(x, state)
    np.testing.assert_array_equal(states, np.broadcast_to(state, states.shape))
    grads = cell.backward(weights)
    np.testing.assert_allclose(grads["state"], weights.sum(axis=0), rtol=0, atol=1e-12)
    assert not grads["W_x"].any() and not grads["x"].any()

    bias[cell.rows("update")] = -1000  # z = 0: replace
    states, gates = cell.forward(x, state), cell.gates(x, state)
    assert not gates["update"].any()
    np.testing.assert_array_equal(states, gates["candidate"])


@pytest.mark.parametrize("reset", ["after", "before"])
def test_reset_closed_reads_every_symbol_as_the_first(reset):
    rng = np.random.default_rng(13)
    cell = GRU(3, 5, reset=reset, seed=13)
    x = draw(rng, 30, 4, 3)
    cell.params["b_x"][cell.rows("reset")] = -1000
    cell.params["b_x"][cell.rows("update")] = -1000
    states = cell.forward(x, draw(rng, 4, 5))
    for t in range(len(x)):
        first = cell.forward(x[t : t + 1])[0]  # a sequence of this symbol alone, from zero
        np.testing.assert_array_equal(cell.step(x[t], states[t - 1]), cell.step(x[t]))
        np.testing.assert_allclose(states[t], first, rtol=0, atol=1e-15)


@pytest.mark.parametrize("reset", ["after", "before", None])
def test_open_gru_is_the_plain_rnn(reset):
    """Update gate at replace, reset gate at 1: the GRU is the RNN with the candidate's weights."""
    rng = np.random.default_rng(14)
    gru, rnn = GRU(3, 5, reset=reset, seed=14), RNN(3, 5)
    gru.params["b_x"][gru.rows("update")] = -1000
    if reset:
        gru.params["b_x"][gru.rows("reset")] = 1000
    rows = gru.rows("candidate")
    rnn.params = {name: array[rows].copy() for name, array in gru.params.items()}
    x, state = draw(rng, 40, 4, 3), draw(rng, 4, 5)
    np.testing.assert_allclose(gru.forward(x, state), rnn.forward(x, state), rtol=0, atol=1e-14)


def test_lstm_keeps_its_cell_state_exactly():
    rng = np.random.default_rng(15)
    cell = LSTM(3, 5, seed=15)
    cell.params["b_x"][cell.rows("forget")] = 1000
    cell.params["b_x"][cell.rows("input")] = -1000
    h, c = draw_state(rng, cell, 4)
    cell.forward(draw(rng, 30, 4, 3), (h, c))
    np.testing.assert_array_equal(cell.cell_states, np.broadcast_to(c, (30, 4, 5)))
    weights = np.zeros((30, 4, 5))
    to_last = weights.copy()
    to_last[-1] = 1
    np.testing.assert_array_equal(cell.backward(weights, to_last)["state"][1], np.ones((4, 5)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid(dtype):
    a = np.array([-1e30, -1000, -5, 0, 0.1, 5, 1000, 1e30], dtype)
    with np.errstate(all="raise"):
        found = sigmoid(a)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[[0, 1, 3, 6, 7]], [0, 0, 0.5, 1, 1])
    expected = 1 / (1 + np.exp(-np.clip(a.astype(np.float64), -700, 700)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=np.finfo(dtype).eps)
    assert sigmoid(0.0) == 0.5
    same = a.copy()
    assert sigmoid(same, out=same) is same
    np.testing.assert_array_equal(same, found)


@every_form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1000, -1000])
def test_no_warning_at_a_thousand(form, dtype, size):
    rng = np.random.default_rng(16)
    cell = FORMS[form](2, 3, seed=16, dtype=dtype)
    x = np.full((10, 2, 2), size, dtype)
    weights = draw(rng, 10, 2, 3, dtype=dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for bias in (0, 1000, -1000):
            cell.params["b_x"][:] = bias
            states = cell.forward(x)
            grads = cell.backward(weights)
            cell.step(x[0])
            assert np.isfinite(states).all()
            for name in (*cell.params, "x"):
                assert np.isfinite(grads[name]).all()


# ---- number types --------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("bias", [True, False])
def test_float32_stays_float32(form, bias):
    rng = np.random.default_rng(17)
    cell = FORMS[form](3, 4, bias=bias, seed=17, dtype=np.float32)
    x, weights = draw(rng, 6, 2, 3, dtype=np.float32), draw(rng, 6, 2, 4, dtype=np.float32)
    state = draw_state(rng, cell, 2)
    arrays = [cell.forward(x, state), cell.forward(x), *as_list(cell.step(x[0], state))]
    arrays += as_list(cell.step(x[0])) + list(cell.gates(x).values())
    cell.forward(x, state)
    grads = cell.backward(weights)
    arrays += [cell.state_gradients, *as_list(grads.pop("state")), *grads.values()]
    arrays += list(cell.params.values())
    if form == "LSTM":
        arrays.append(cell.cell_states)
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@every_form
def test_float32_agrees_with_float64(form):
    rng = np.random.default_rng(18)
    single, double = (FORMS[form](3, 8, seed=18, dtype=t) for t in (np.float32, np.float64))
    x, weights = draw(rng, 50, 4, 3), draw(rng, 50, 4, 8)
    difference = single.forward(x.astype(np.float32)) - double.forward(x)
    assert 0 < np.abs(difference).max() < 1e-5
    ours, exact = single.backward(weights.astype(np.float32)), double.backward(weights)
    for name in single.params:
        assert np.abs(ours[name] - exact[name]).max() < 1e-4 * np.abs(exact[name]).max(), name


@every_form
def test_a_seed_fixes_the_cell(form):
    first, same, other = (FORMS[form](3, 4, seed=seed) for seed in (1, 1, 2))
    for name, array in first.params.items():
        np.testing.assert_array_equal(array, same.params[name])
        assert (array != other.params[name]).all()
        assert np.abs(array).max() <= 0.5  # 1 / sqrt(4)


@every_pair
def test_from_torch_copies(name):
    cell_class, module_class = PAIRS[name]
    module = module_class(3, 4)
    cell = cell_class.from_torch(module)
    assert cell.dtype == np.float32
    cell.params["W_x"][:] = 7
    assert (module.weight_ih_l0 != 7).all()


# ---- what is refused -----------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((5, 3)), ValueError, r"x must have the shape \(T, B, 3\), got \(5, 3\)"),
        (np.zeros((5, 2, 4)), ValueError, r"x must have the shape \(T, B, 3\), got \(5, 2, 4\)"),
        (np.zeros((0, 2, 3)), ValueError, r"x is empty.*got \(0, 2, 3\)"),
        (np.zeros((5, 0, 3)), ValueError, r"x is empty.*got \(5, 0, 3\)"),
        (np.zeros((5, 2, 3), int), TypeError, "x must be float64.*got int64"),
        (np.zeros((5, 2, 3), np.float32), TypeError, "x must be float64.*got float32.*astype"),
        (np.zeros((5, 2, 3), complex), TypeError, "x must be float64.*got complex128"),
        ([[[0.0, 0.0, 0.0]]], TypeError, "x must be a NumPy array, got list"),
        (torch.zeros(5, 2, 3), TypeError, "x must be a NumPy array, got Tensor"),
        (
            np.full((5, 2, 3), np.nan),
            ValueError,
            r"x must be finite, got 30 value\(s\).*\(0, 0, 0\)",
        ),
    ],
)
def test_bad_x(form, x, error, message):
    for batch_first in (False, True):
        cell = FORMS[form](3, 4, seed=0, batch_first=batch_first)
        layout = r"\(B, T, 3\)" if batch_first else r"\(T, B, 3\)"
        for method in (cell.forward, cell.gates):
            with pytest.raises(error, match=message.replace(r"\(T, B, 3\)", layout)):
                method(x)


@every_form
def test_bad_x_in_a_step(form):
    cell = FORMS[form](3, 4, seed=0)
    with pytest.raises(ValueError, match=r"x must have the shape \(B, 3\), got \(5, 2, 3\)"):
        cell.step(np.zeros((5, 2, 3)))
    with pytest.raises(ValueError, match="x is empty"):
        cell.step(np.zeros((0, 3)))
    with pytest.raises(TypeError, match="got int64"):
        cell.step(np.zeros((2, 3), int))


@every_form
def test_bad_state(form):
    cell = FORMS[form](3, 4, seed=0)
    x = np.zeros((5, 2, 3))

    def pack(h):
        return (h, np.zeros((2, 4))) if form == "LSTM" else h

    for run, data in ((cell.forward, x), (cell.gates, x), (cell.step, x[0])):
        with pytest.raises(ValueError, match=r"state.* must have the shape \(2, 4\), got \(3, 4\)"):
            run(data, pack(np.zeros((3, 4))))
        with pytest.raises(ValueError, match=r"must have the shape \(2, 4\), got \(1, 2, 4\)"):
            run(data, pack(np.zeros((1, 2, 4))))
        with pytest.raises(TypeError, match=r"state.* must be float64.*got float32"):
            run(data, pack(np.zeros((2, 4), np.float32)))
        with pytest.raises(ValueError, match=r"state.* must be finite"):
            run(data, pack(np.full((2, 4), np.inf)))


def test_bad_state_of_an_lstm():
    cell, x = LSTM(3, 4, seed=0), np.zeros((5, 2, 3))
    with pytest.raises(TypeError, match=r"pair \(h, c\), got a ndarray"):
        cell.forward(x, np.zeros((2, 4)))
    with pytest.raises(TypeError, match=r"pair \(h, c\), got a tuple of length 1"):
        cell.forward(x, (np.zeros((2, 4)),))
    with pytest.raises(ValueError, match=r"state c must have the shape \(2, 4\), got \(2, 5\)"):
        cell.forward(x, (np.zeros((2, 4)), np.zeros((2, 5))))


@every_form
def test_bad_gradient(form):
    cell = FORMS[form](3, 4, seed=0)
    with pytest.raises(RuntimeError, match="forward pass first"):
        cell.backward(np.zeros((5, 2, 4)))
    cell.forward(np.zeros((5, 2, 3)))
    with pytest.raises(
        ValueError, match=r"grad_states must have the shape \(5, 2, 4\), got \(2, 4\)"
    ):
        cell.backward(np.zeros((2, 4)))
    with pytest.raises(TypeError, match=r"grad_states must be float64.*got float32"):
        cell.backward(np.zeros((5, 2, 4), np.float32))
    with pytest.raises(ValueError, match="grad_states must be finite"):
        cell.backward(np.full((5, 2, 4), np.nan))
    cell = FORMS[form](3, 4, seed=0, batch_first=True)
    cell.forward(np.zeros((2, 5, 3)))
    with pytest.raises(ValueError, match=r"grad_states .* \(2, 5, 4\), got \(5, 2, 4\)"):
        cell.backward(np.zeros((5, 2, 4)))


@every_form
def test_a_failed_forward_leaves_no_half_made_memory(form):
    cell = FORMS[form](3, 4, seed=0)
    with pytest.raises(ValueError):
        cell.forward(np.zeros((5, 2, 9)))
    with pytest.raises(RuntimeError, match="forward pass first"):
        cell.backward(np.zeros((5, 2, 4)))


def test_bad_cell_state_gradient():
    cell = LSTM(3, 4, seed=0)
    with pytest.raises(RuntimeError, match="forward pass first"):
        cell.cell_states  # noqa: B018
    cell.forward(np.zeros((5, 2, 3)))
    with pytest.raises(ValueError, match=r"grad_cell_states must have the shape \(5, 2, 4\)"):
        cell.backward(np.zeros((5, 2, 4)), np.zeros((2, 4)))
    cell = LSTM(3, 4, seed=0, batch_first=True)
    cell.forward(np.zeros((2, 5, 3)))
    with pytest.raises(ValueError, match=r"grad_cell_states must have the shape \(2, 5, 4\)"):
        cell.backward(np.zeros((2, 5, 4)), np.zeros((5, 2, 4)))


@every_form
def test_bad_construction(form):
    make = FORMS[form]
    for sizes in ((0, 4), (3, -1), (3.0, 4), (True, 4), ("3", 4)):
        with pytest.raises(ValueError, match="must be a positive integer"):
            make(*sizes)
    for dtype in (int, np.float16, complex):
        with pytest.raises(TypeError, match="dtype must be float32 or float64"):
            make(3, 4, dtype=dtype)


def test_bad_reset_and_part():
    for reset in ("befor", True, False, 0):
        with pytest.raises(ValueError, match="reset must be 'after', 'before' or None"):
            GRU(3, 4, reset=reset)
    with pytest.raises(ValueError, match=r"reset=None.*parts update, candidate; got 'reset'"):
        GRU(3, 4, reset=None).rows("reset")


@every_form
def test_bad_parameters(form):
    x = np.zeros((5, 2, 3))
    cell = FORMS[form](3, 4, seed=0)
    cell.params["W_h"] = cell.params["W_h"][:-1]
    with pytest.raises(ValueError, match=r"params\['W_h'\] must have the shape"):
        cell.forward(x)
    cell = FORMS[form](3, 4, seed=0)
    cell.params["b_x"] = cell.params["b_x"].astype(np.float32)
    with pytest.raises(TypeError, match=r"params\['b_x'\] must be float64.*got float32"):
        cell.step(x[0])
    del cell.params["b_x"]
    with pytest.raises(ValueError, match="params must have the keys"):
        cell.gates(x)


@pytest.mark.parametrize(
    ("cell_class", "module", "error", "message"),
    [
        (RNN, torch.nn.RNN(2, 3, nonlinearity="relu"), TypeError, "'tanh', got .*RNN_RELU"),
        (RNN, torch.nn.GRU(2, 3), TypeError, "expects a torch.nn.RNN .* got .*GRU"),
        (GRU, torch.nn.LSTM(2, 3), TypeError, "GRU.from_torch expects a torch.nn.GRU, got .*LSTM"),
        (LSTM, torch.nn.GRUCell(2, 3), TypeError, "expects a torch.nn.LSTM, got .*GRUCell"),
        (GRU, torch.nn.Linear(2, 3), TypeError, "got .*Linear"),
        (GRU, {"weight_ih_l0": 0}, TypeError, "got builtins.dict"),
        (GRU, torch.nn.GRU(2, 3, num_layers=2), ValueError, "num_layers=1, got num_layers=2"),
        (GRU, torch.nn.GRU(2, 3, bidirectional=True), ValueError, "got bidirectional=True"),
        (
            LSTM,
            torch.nn.LSTM(2, 3, proj_size=1),
            ValueError,
            "expects proj_size=0, got proj_size=1",
        ),
        (GRU, torch.nn.GRU(2, 3).half(), TypeError, "float32 or float64, got float16"),
    ],
)
def test_from_torch_refuses(cell_class, module, error, message):
    with pytest.raises(error, match=message):
        cell_class.from_torch(module)


def test_numpy_is_the_only_import():
    code = (
        "import sys, numpy; before = set(sys.modules); import helpers.cells; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "['helpers']", found.stderr
