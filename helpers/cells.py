"""Recurrent cells in NumPy alone: the plain RNN, the GRU and the LSTM, forward and backward.

All three share one interface::

    cell = GRU(input_size, hidden_size, seed=0)
    states = cell.forward(x)              # x (T, B, I)  ->  states (T, B, H)
    grads = cell.backward(grad_states)    # dL/dstates (T, B, H)  ->  a gradient for every parameter

with T steps, a batch of B sequences, I inputs per step and H hidden units.

**Layout.** ``batch_first`` is PyTorch's, with PyTorch's default, False. It turns every array that
has a time axis; the computation is the same, number for number.

===============================================  ======================  ======================
array                                            ``batch_first=False``   ``batch_first=True``
===============================================  ======================  ======================
``x`` and ``grads["x"]``                         (T, B, I)               (B, T, I)
states, gates, ``cell_states``, their gradients  (T, B, H)               (B, T, H)
a given ``state`` and ``grads["state"]``         (B, H)                  (B, H)
``x`` of a single ``step``                       (B, I)                  (B, I)
===============================================  ======================  ======================

The docstrings below write the first layout.

**Parameters.** ``cell.params`` is a dict of four arrays. Each of a cell's G parts (its gates and
its candidate) owns one block of H rows in all four, in PyTorch's order; ``cell.rows(part)`` gives
the block of one part as a slice.

===========  ============  ==========================================================
``W_x``      (G·H, I)      weights on the input x_t (PyTorch: ``weight_ih_l0``)
``W_h``      (G·H, H)      weights on the previous state h_{t-1} (``weight_hh_l0``)
``b_x``      (G·H,)        bias beside ``W_x`` (``bias_ih_l0``); absent with ``bias=False``
``b_h``      (G·H,)        bias beside ``W_h`` (``bias_hh_l0``); absent with ``bias=False``
===========  ============  ==========================================================

Vectors lie in rows, as the batch does, so the formula ``W x`` reads ``x @ W.T`` in the code.
Inside, the parts lie in separate (T, B, H) arrays, stacked as (G, T, B, H), in both layouts: NumPy
works through memory without gaps faster than through columns of a wide array, and the loop over
time then takes one block per step.

**Number types.** A cell computes in one type, float32 or float64, from input to gradient. Arrays of
another type are refused instead of converted: one float64 array would quietly turn a float32
computation into a float64 one.

**Bad input.** ``TypeError``: not a NumPy array, or not the cell's number type. ``ValueError``: a
wrong shape, an empty sequence or batch, or a value that is not finite. ``RuntimeError``:
``backward`` before ``forward``.

**Before backward.** ``backward`` answers for the latest ``forward``; between the two, leave ``x``
and ``params`` as they are. ``step`` and ``gates`` remember nothing.
"""

import numpy as np

__all__ = ["GRU", "LSTM", "RNN", "sigmoid"]


def sigmoid(a, out=None):
    """The logistic function σ(a) = 1 / (1 + exp(-a)), written as (1 + tanh(a / 2)) / 2.

    The two forms are equal, but exp(-a) overflows for a = -1000 while tanh never does: here
    σ(-1000) is exactly 0 and σ(1000) exactly 1. The error is about one rounding unit of 1 (2e-16 in
    float64), so a value far below that unit comes out as 0. ``out`` may be ``a`` itself.
    """
    half = np.tanh(np.multiply(a, 0.5, out=out), out=out)
    return np.add(np.multiply(half, 0.5, out=out), 0.5, out=out)


def _describe(shape):
    return "(" + ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


class _Cell:
    """What the three cells share: parameters, checks, input projection, weight gradients."""

    parts = ()  # the row blocks of W_x, W_h, b_x and b_h, in PyTorch's order
    _torch_mode = ""  # how PyTorch's module calls itself in its attribute `mode`
    _torch_name = ""  # how the error message calls that module

    def __init__(
        self,
        input_size,
        hidden_size,
        *,
        bias=True,
        batch_first=False,
        seed=None,
        dtype=np.float64,
    ):
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
                raise ValueError(f"{name} must be a positive integer, got {size!r}")
        self.input_size, self.hidden_size = int(input_size), int(hidden_size)
        self.bias, self.batch_first = bool(bias), bool(batch_first)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype must be float32 or float64, got {self.dtype}")
        # PyTorch's initialisation: every number uniform in ±1/sqrt(H). Drawn in float64, so that a
        # seed means the same cell in both number types.
        rng = np.random.default_rng(seed)
        bound = 1 / np.sqrt(self.hidden_size)
        self.params = {
            name: rng.uniform(-bound, bound, shape).astype(self.dtype)
            for name, shape in self._param_shapes().items()
        }
        self._memory = None  # what the latest forward leaves for backward

    def __repr__(self):
        layout = ", batch_first=True" if self.batch_first else ""
        sizes = f"{self.input_size}, {self.hidden_size}"
        return f"{type(self).__name__}({sizes}, dtype={self.dtype}{layout})"

    def rows(self, part):
        """The rows of one part in ``W_x``, ``W_h``, ``b_x`` and ``b_h``, as a slice.

        ``gru.params["b_x"][gru.rows("update")] = 3`` sets the bias of the update gate. Raises
        ``ValueError`` for a part that this cell does not have.
        """
        if part not in self.parts:
            raise ValueError(f"{self!r} has the parts {', '.join(self.parts)}; got {part!r}")
        start = self.parts.index(part) * self.hidden_size
        return slice(start, start + self.hidden_size)

    @classmethod
    def from_torch(cls, module):
        """A cell with a copy of the weights of the PyTorch module of the same name.

        ``module`` is an ``nn.RNN`` (tanh), ``nn.GRU`` or ``nn.LSTM`` with one layer and one
        direction, with or without biases, in float32 or float64. The cell takes over the module's
        ``batch_first``, so that both take the same x and give the same states. Raises ``TypeError``
        for another kind of module or number type, ``ValueError`` for a form that the cell cannot
        have.
        """
        title = f"{cls.__name__}.from_torch"
        mode = getattr(module, "mode", None)
        if mode != cls._torch_mode:
            found = f"{type(module).__module__}.{type(module).__qualname__}"
            if isinstance(mode, str):
                found += f" (mode {mode})"
            raise TypeError(f"{title} expects a {cls._torch_name}, got {found}")
        for name, expected in (("num_layers", 1), ("bidirectional", False), ("proj_size", 0)):
            value = getattr(module, name, expected)
            if value != expected:
                raise ValueError(f"{title} expects {name}={expected}, got {name}={value}")
        number_type = str(module.weight_ih_l0.dtype).removeprefix("torch.")
        if number_type not in ("float32", "float64"):
            raise TypeError(f"{title} expects weights in float32 or float64, got {number_type}")
        cell = cls(
            module.input_size,
            module.hidden_size,
            bias=module.bias,
            batch_first=module.batch_first,
            dtype=number_type,
        )
        theirs = {"W_x": "weight_ih", "W_h": "weight_hh", "b_x": "bias_ih", "b_h": "bias_hh"}
        for name in cell.params:
            tensor = getattr(module, theirs[name] + "_l0")
            cell.params[name] = tensor.detach().cpu().numpy().copy()
        return cell

    def step(self, x, state=None):
        """One step for x (B, I): the next state, from ``state`` (zeros if none is given)."""
        self._check_params()
        self._check("x", x, ("B", self.input_size))
        return self._step(x, self._start(state, len(x)))

    def forward(self, x, state=None):
        """Run over x (T, B, I) from ``state`` (zeros if none is given): the states (T, B, H).

        The whole computation is kept for ``backward``, in about G + 2 arrays of size T·B·H.
        """
        self._memory = self._run(x, state)
        # A copy: what a caller does to the states must not reach into what backward needs.
        return self._turn(self._memory["history"][1:]).copy()

    def gates(self, x, state=None):
        """The values over time of every gate and of the candidate: a dict of (T, B, H) arrays."""
        values = self._run(x, state)["parts"]
        return {part: self._turn(v) for part, v in zip(self.parts, values, strict=True)}

    # ---- shared pieces ---------------------------------------------------------------------------

    def _param_shapes(self):
        rows = len(self.parts) * self.hidden_size
        shapes = {"W_x": (rows, self.input_size), "W_h": (rows, self.hidden_size)}
        return shapes | ({"b_x": (rows,), "b_h": (rows,)} if self.bias else {})

    def _biases(self):
        """b_x and b_h, or zeros where the cell has none."""
        zeros = np.zeros(len(self.parts) * self.hidden_size, self.dtype)
        return self.params.get("b_x", zeros), self.params.get("b_h", zeros)

    def _check_params(self):
        shapes = self._param_shapes()
        if self.params.keys() != shapes.keys():
            raise ValueError(f"params must have the keys {list(shapes)}, got {list(self.params)}")
        for name, shape in shapes.items():
            self._check(f"params[{name!r}]", self.params[name], shape, finite=False)

    def _check(self, name, array, shape, finite=True):
        """Refuse what is not an array of the cell's number type and of this shape.

        A letter in ``shape`` stands for any size from 1 up.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be a NumPy array, got {type(array).__name__}")
        if array.dtype != self.dtype:
            raise TypeError(
                f"{name} must be {self.dtype}, the number type of this {type(self).__name__}, "
                f"got {array.dtype}: convert it with .astype(np.{self.dtype})"
            )
        fits = array.ndim == len(shape) and all(
            size == wanted or isinstance(wanted, str)
            for size, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{name} must have the shape {_describe(shape)}, got {_describe(array.shape)}"
            )
        if array.size == 0:
            raise ValueError(
                f"{name} is empty: expected {_describe(shape)} with sizes of 1 or more, "
                f"got {_describe(array.shape)}"
            )
        if finite and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))
            where = tuple(bad[0].tolist())
            raise ValueError(
                f"{name} must be finite, got {len(bad)} value(s) that are not, "
                f"the first at index {where}: {array[where]}"
            )

    def _turn(self, array):
        """From (T, B, ..) to the caller's layout, or back: a view, no copy."""
        return array.swapaxes(0, 1) if self.batch_first else array

    def _checked(self, name, array, shape):
        """The caller's array, checked in the caller's layout, as (T, B, ..); so is ``shape``."""
        steps, batch, size = shape
        self._check(name, array, (batch, steps, size) if self.batch_first else shape)
        return self._turn(array)

    def _start(self, state, batch):
        """The checked initial state (B, H), zeros if none is given."""
        if state is None:
            return np.zeros((batch, self.hidden_size), self.dtype)
        self._check("state", state, (batch, self.hidden_size))
        return state

    def _blocks(self, matrix):
        """W_x or W_h as one block a part: (G·H, columns) -> (G, H, columns). A view, no copy."""
        return matrix.reshape(len(self.parts), self.hidden_size, -1)

    def _project(self, x, bias):
        """W_x x_t + bias for all parts and all steps at once: (G, T, B, H).

        The input's share of every pre-activation is known before the loop over time begins, so one
        large product does the work of T small ones.
        """
        steps, batch, inputs = x.shape
        flat = x.reshape(steps * batch, inputs)
        projected = flat @ self._blocks(self.params["W_x"]).transpose(0, 2, 1)  # (G, T·B, H)
        projected += bias.reshape(-1, 1, self.hidden_size)
        return projected.reshape(-1, steps, batch, self.hidden_size)

    def _remembered(self):
        if self._memory is None:
            raise RuntimeError("backward needs a forward pass first: call forward(x)")
        return self._memory

    def _input_gradients(self, x, d_pre):
        """Gradients of W_x, b_x and x, from d_pre (G, T, B, H) = dL/d(W_x x_t + b_x)."""
        grads = {}
        grads["W_x"], b_x = self._weight_gradients(d_pre, x)
        if self.bias:
            grads["b_x"] = b_x
        flat = d_pre.reshape(len(d_pre), -1, self.hidden_size)  # (G, T·B, H)
        to_x = flat @ self._blocks(self.params["W_x"])  # (G, T·B, I): what each part sends back
        grads["x"] = self._turn(to_x.sum(axis=0).reshape(x.shape))
        return grads

    def _weight_gradients(self, d_pre, v):
        """Gradients of W and b, from d_pre (G, T, B, H) = dL/d(W v_t + b), for all t at once.

        A weight serves every step and every sequence, so its gradient is a sum over t and b: one
        matrix product, with time and batch as one long axis.
        """
        flat = d_pre.reshape(len(d_pre), -1, self.hidden_size)  # (G, T·B, H)
        W = flat.transpose(0, 2, 1) @ v.reshape(-1, v.shape[-1])  # (G, H, columns)
        return W.reshape(-1, v.shape[-1]), flat.sum(axis=1).reshape(-1)


class RNN(_Cell):
    """The plain (Elman) recurrent cell. One part, ``candidate``, and no gate.

    ::

        h_t = tanh(W_x x_t + b_x + W_h h_{t-1} + b_h)

    Source: Elman (1990), doi:10.1207/s15516709cog1402_1, in the form of ``torch.nn.RNN``.
    ``gates`` returns the candidate alone, which here is the state itself.
    """

    parts = ("candidate",)
    _torch_mode = "RNN_TANH"
    _torch_name = "torch.nn.RNN with nonlinearity='tanh'"

    def _step(self, x, h):
        p = self.params
        b_x, b_h = self._biases()
        return np.tanh(x @ p["W_x"].T + b_x + h @ p["W_h"].T + b_h)

    def _run(self, x, state):
        self._check_params()
        x = self._checked("x", x, ("T", "B", self.input_size))
        steps, batch, _ = x.shape
        b_x, b_h = self._biases()
        (pre,) = self._project(x, b_x + b_h)  # (T, B, H)
        W_hT = np.ascontiguousarray(self.params["W_h"].T)  # row by row in memory: a faster product
        history = np.empty((steps + 1, batch, self.hidden_size), self.dtype)  # h_0 .. h_T
        history[0] = self._start(state, batch)
        for t in range(steps):
            h = history[t + 1]
            np.matmul(history[t], W_hT, out=h)
            h += pre[t]
            np.tanh(h, out=h)
        return {"x": x, "history": history, "parts": history[None, 1:]}

    def backward(self, grad_states):
        """From dL/dstates (T, B, H) to the gradients of every parameter, of ``x`` and ``state``.

        Going back, dh_t = dL/dh_t is what the loss sends to h_t directly plus what h_{t+1} sends
        back (the carry). With a_t the argument of tanh::

            da_t = dh_t (1 - h_t²)          carry to h_{t-1}:  W_hᵀ da_t

        ``state_gradients`` keeps dh_t for every t (T, B, H).
        """
        m = self._remembered()
        history = m["history"]
        grad_states = self._checked("grad_states", grad_states, history[1:].shape)
        W_h = self.params["W_h"]
        slope = 1 - history[1:] ** 2  # dh/da, for all steps at once
        dh = np.empty_like(slope)
        da = np.empty_like(slope)
        carry = np.zeros_like(history[0])
        for t in reversed(range(len(dh))):
            np.add(grad_states[t], carry, out=dh[t])
            np.multiply(dh[t], slope[t], out=da[t])
            np.matmul(da[t], W_h, out=carry)
        self.state_gradients = self._turn(dh)
        grads = self._input_gradients(m["x"], da[None])  # [None]: one part
        grads["W_h"], b_h = self._weight_gradients(da[None], history[:-1])
        if self.bias:
            grads["b_h"] = b_h
        grads["state"] = carry
        return grads


class GRU(_Cell):
    """The gated recurrent unit, in the three forms that texts use. Parts: reset r, update z,
    candidate n (``reset=None`` has no r).

    ::

        r_t = σ(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)                          reset gate
        z_t = σ(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)                          update gate
        n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))               reset="after"
        n_t = tanh(W_xn x_t + b_xn + W_hn (r_t * h_{t-1}) + b_hn)               reset="before"
        n_t = tanh(W_xn x_t + b_xn + W_hn h_{t-1} + b_hn)                       reset=None
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}                                   new state

    - ``reset="after"``: the reset gate acts after the product with W_hn, as in ``torch.nn.GRU``.
    - ``reset="before"``: it acts before, as in Cho et al. (2014), arXiv:1406.1078, equations 5 to
      8. With the same weights the two forms give different states.
    - ``reset=None``: the simplified GRU with the update gate alone; its candidate, a plain RNN's
      update, always sees the whole previous state.

    z = 1 keeps the state and z = 0 replaces it. Many introductions name the gate the other way
    round, c_t = Γ_u * c̃_t + (1 - Γ_u) * c_{t-1}: their Γ_u is 1 - z, their c is h and their c̃ is n.
    Since 1 - σ(a) = σ(-a), their weights are these with the sign of the update rows changed.
    """

    _torch_mode = "GRU"
    _torch_name = "torch.nn.GRU"

    def __init__(
        self,
        input_size,
        hidden_size,
        *,
        reset="after",
        bias=True,
        batch_first=False,
        seed=None,
        dtype=np.float64,
    ):
        if reset not in ("after", "before", None):
            raise ValueError(f"reset must be 'after', 'before' or None, got {reset!r}")
        self.reset = reset
        self.parts = ("reset", "update", "candidate") if reset else ("update", "candidate")
        super().__init__(
            input_size, hidden_size, bias=bias, batch_first=batch_first, seed=seed, dtype=dtype
        )

    def __repr__(self):
        return super().__repr__()[:-1] + f", reset={self.reset!r})"

    def _step(self, x, h):
        p, rows = self.params, self.rows
        b_x, b_h = self._biases()
        from_x = x @ p["W_x"].T + b_x  # (B, G·H)
        W_h, z_rows, n_rows = p["W_h"], rows("update"), rows("candidate")
        z = sigmoid(from_x[:, z_rows] + h @ W_h[z_rows].T + b_h[z_rows])
        if self.reset:
            r_rows = rows("reset")
            r = sigmoid(from_x[:, r_rows] + h @ W_h[r_rows].T + b_h[r_rows])
        seen = r * h if self.reset == "before" else h
        u = seen @ W_h[n_rows].T + b_h[n_rows]
        n = np.tanh(from_x[:, n_rows] + (r * u if self.reset == "after" else u))
        return (1 - z) * n + z * h

    def _run(self, x, state):
        self._check_params()
        x = self._checked("x", x, ("T", "B", self.input_size))
        steps, batch, _ = x.shape
        b_x, b_h = self._biases()
        b_hn = b_h[self.rows("candidate")]
        # The two biases of a gate only ever act as their sum. The candidate's must stay apart:
        # with reset="after" the reset gate scales b_h and not b_x.
        bias = b_x + b_h
        bias[self.rows("candidate")] = b_x[self.rows("candidate")]
        # `parts` holds the input's share of the pre-activations; step t replaces it by r, z and n.
        parts = self._project(x, bias)  # (G, T, B, H)
        # W_hᵀ of each part, row by row in memory: a faster product
        W_hT = np.ascontiguousarray(self._blocks(self.params["W_h"]).transpose(0, 2, 1))

        history = np.empty((steps + 1, batch, self.hidden_size), self.dtype)  # h_0 .. h_T
        history[0] = self._start(state, batch)
        all_u = np.empty_like(parts[0])
        # One step works in these small arrays, which stay in the CPU's cache, and is stored after.
        values = np.empty_like(parts[:, 0])  # (G, B, H)
        gates, z, n = values[:-1], values[-2], values[-1]
        r = values[0]  # with reset=None there is no r, and this is not used
        u, buffer = np.empty_like(n), np.empty_like(n)
        for t in range(steps):
            h = history[t]
            # r, z = σ(W_x x + b_x + W_h h + b_h)
            np.matmul(h, W_hT[:-1], out=gates)
            gates += parts[:-1, t]
            sigmoid(gates, out=gates)
            # u = W_hn h + b_hn, or W_hn (r h) + b_hn if the reset comes before the product
            seen = np.multiply(r, h, out=buffer) if self.reset == "before" else h
            np.matmul(seen, W_hT[-1], out=u)
            u += b_hn
            # n = tanh(W_xn x + b_xn + u), or .. + r u if the reset comes after the product
            from_state = np.multiply(r, u, out=buffer) if self.reset == "after" else u
            np.add(parts[-1, t], from_state, out=n)
            np.tanh(n, out=n)
            # h' = (1 - z) n + z h. The shorter n + z (h - n) would round: at z = 1 it is not h.
            new = np.subtract(1, z, out=history[t + 1])
            new *= n
            new += np.multiply(z, h, out=buffer)
            parts[:, t], all_u[t] = values, u
        return {"x": x, "history": history, "parts": parts, "u": all_u}

    def backward(self, grad_states):
        """From dL/dstates (T, B, H) to the gradients of every parameter, of ``x`` and ``state``.

        Gate by gate, with a_r, a_z, a_n the arguments of σ, σ and tanh, h' the new state and h the
        one before. From h' = (1 - z) n + z h::

            dn = dh' (1 - z)      da_n = dn (1 - n²)          = dh' · [(1 - z)(1 - n²)]
            dz = dh' (h - n)      da_z = dz z (1 - z)         = dh' · [(h - n) z (1 - z)]

        With u the candidate's product and s what it sees of the state (r h or h)::

            "after"   a_n = .. + r u:   du = da_n r     da_r = da_n · [u r (1 - r)]
            "before"  s = r h:          du = da_n       da_r = ds · [h r (1 - r)]
            None      s = h:            du = da_n
            u = W_hn s + b_hn:          ds = W_hnᵀ du

        All that reaches h goes on to the step before::

            carry = dh' z + W_hrᵀ da_r + W_hzᵀ da_z + ds      (r ds instead of ds for "before")

        What stands in [brackets] is known from the forward pass: it is computed for all steps at
        once, and only the rest runs step by step. ``state_gradients`` keeps dh_t for every t.
        """
        m = self._remembered()
        history, parts, u = m["history"], m["parts"], m["u"]
        before, after = history[:-1], history[1:]  # h_{t-1} and h_t, for every t
        grad_states = self._checked("grad_states", grad_states, after.shape)
        W_h = self._blocks(self.params["W_h"])  # (G, H, H)
        (z, n), r = parts[-2:], parts[0]  # with reset=None there is no r, and this is not used

        slope_n = (1 - z) * (1 - n * n)
        slope_z = (before - n) * z * (1 - z)
        if self.reset:
            slope_r = (u if self.reset == "after" else before) * r * (1 - r)

        dh = np.empty_like(after)
        d_parts = np.empty_like(parts)
        d_gates, (da_z, da_n), da_r = d_parts[:-1], d_parts[-2:], d_parts[0]
        du = np.empty_like(u) if self.reset == "after" else da_n
        carry, ds, buffer = (np.zeros_like(history[0]) for _ in range(3))
        gate_buffer = np.empty_like(d_gates[:, 0])  # (G - 1, B, H)
        for t in reversed(range(len(dh))):
            np.add(grad_states[t], carry, out=dh[t])
            np.multiply(dh[t], slope_n[t], out=da_n[t])
            np.multiply(dh[t], slope_z[t], out=da_z[t])
            if self.reset == "after":
                np.multiply(da_n[t], r[t], out=du[t])
                np.multiply(da_n[t], slope_r[t], out=da_r[t])
            np.matmul(du[t], W_h[-1], out=ds)
            if self.reset == "before":
                np.multiply(ds, slope_r[t], out=da_r[t])
                ds *= r[t]
            np.matmul(d_gates[:, t], W_h[:-1], out=gate_buffer)  # W_hᵀ da of each gate
            gate_buffer.sum(axis=0, out=carry)
            carry += ds
            carry += np.multiply(dh[t], z[t], out=buffer)
        self.state_gradients = self._turn(dh)

        grads = self._input_gradients(m["x"], d_parts)
        seen = r * before if self.reset == "before" else before
        W_gates, b_gates = self._weight_gradients(d_gates, before)
        W_candidate, b_candidate = self._weight_gradients(du[None], seen)
        grads["W_h"] = np.concatenate([W_gates, W_candidate])
        if self.bias:
            grads["b_h"] = np.concatenate([b_gates, b_candidate])
        grads["state"] = carry
        return grads


class LSTM(_Cell):
    """The long short-term memory cell. Parts: input i, forget f, candidate g, output o.

    ::

        i_t = σ(W_xi x_t + b_xi + W_hi h_{t-1} + b_hi)        input gate
        f_t = σ(W_xf x_t + b_xf + W_hf h_{t-1} + b_hf)        forget gate
        g_t = tanh(W_xg x_t + b_xg + W_hg h_{t-1} + b_hg)     candidate
        o_t = σ(W_xo x_t + b_xo + W_ho h_{t-1} + b_ho)        output gate
        c_t = f_t * c_{t-1} + i_t * g_t                       cell state
        h_t = o_t * tanh(c_t)                                 hidden state

    Source: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, with the forget gate
    of Gers et al. (2000), doi:10.1162/089976600300015015, in the form of ``torch.nn.LSTM``.

    A state is the pair ``(h, c)``, both (B, H): ``step`` takes and returns it, and
    ``grads["state"]`` is the pair of their gradients. ``forward`` returns the hidden states h; the
    cell states c of that pass are in ``cell_states`` (T, B, H).
    """

    parts = ("input", "forget", "candidate", "output")
    _torch_mode = "LSTM"
    _torch_name = "torch.nn.LSTM"

    @property
    def cell_states(self):
        """The cell states c_1 .. c_T of the latest forward pass (T, B, H)."""
        if self._memory is None:
            raise RuntimeError("cell_states needs a forward pass first: call forward(x)")
        return self._turn(self._memory["cells"][1:]).copy()

    def _start(self, state, batch):
        if state is None:
            zeros = np.zeros((batch, self.hidden_size), self.dtype)
            return zeros, zeros.copy()
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            length = f" of length {len(state)}" if isinstance(state, (tuple, list)) else ""
            found = type(state).__name__ + length
            raise TypeError(f"the state of an LSTM must be a pair (h, c), got a {found}")
        h, c = state
        self._check("state h", h, (batch, self.hidden_size))
        self._check("state c", c, (batch, self.hidden_size))
        return h, c

    def _step(self, x, state):
        h, c = state
        p = self.params
        b_x, b_h = self._biases()
        pre = x @ p["W_x"].T + b_x + h @ p["W_h"].T + b_h  # (B, 4·H)
        i, f, g, o = (pre[:, self.rows(part)] for part in self.parts)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def _run(self, x, state):
        self._check_params()
        x = self._checked("x", x, ("T", "B", self.input_size))
        steps, batch, _ = x.shape
        b_x, b_h = self._biases()
        # `parts` holds the input's share of the pre-activations; step t replaces it by i, f, g, o.
        parts = self._project(x, b_x + b_h)  # (4, T, B, H)
        # W_hᵀ of each part, row by row in memory: a faster product
        W_hT = np.ascontiguousarray(self._blocks(self.params["W_h"]).transpose(0, 2, 1))
        history = np.empty((steps + 1, batch, self.hidden_size), self.dtype)  # h_0 .. h_T
        cells = np.empty_like(history)  # c_0 .. c_T
        tanh_c = np.empty_like(history[1:])
        history[0], cells[0] = self._start(state, batch)
        # One step works in these small arrays, which stay in the CPU's cache.
        values = np.empty_like(parts[:, 0])  # (4, B, H)
        i, f, g, o = values
        i_and_f = values[:2]
        buffer = np.empty_like(o)
        for t in range(steps):
            np.matmul(history[t], W_hT, out=values)
            values += parts[:, t]
            sigmoid(i_and_f, out=i_and_f)
            np.tanh(g, out=g)
            sigmoid(o, out=o)
            # c' = f c + i g
            c = np.multiply(f, cells[t], out=cells[t + 1])
            c += np.multiply(i, g, out=buffer)
            # h' = o tanh(c')
            np.tanh(c, out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=history[t + 1])
            parts[:, t] = values
        return {"x": x, "history": history, "parts": parts, "cells": cells, "tanh_c": tanh_c}

    def backward(self, grad_states, grad_cell_states=None):
        """From dL/dstates (T, B, H) to the gradients of every parameter, of ``x`` and ``state``.

        ``grad_cell_states`` (T, B, H) is what a loss sends to the cell states directly, if it uses
        them. Gate by gate, with a_i, a_f, a_g, a_o the arguments of σ, σ, tanh and σ, a prime for
        the new states, and from h' = o tanh(c'), c' = f c + i g::

            dc' = .. + dh' · [o (1 - tanh²(c'))]
            do = dh' tanh(c')     da_o = dh' · [tanh(c') o (1 - o)]
            di = dc' g            da_i = dc' · [g i (1 - i)]
            df = dc' c            da_f = dc' · [c f (1 - f)]
            dg = dc' i            da_g = dc' · [i (1 - g²)]

        Two carries go on to the step before: W_hᵀ da to h, and dc' f to c. The second passes no
        matrix and no squashing function: it is the LSTM's shortcut through time. What stands in
        [brackets] is computed for all steps at once. ``state_gradients`` keeps dh_t for every t.
        """
        m = self._remembered()
        history, parts, cells, tanh_c = m["history"], m["parts"], m["cells"], m["tanh_c"]
        grad_states = self._checked("grad_states", grad_states, history[1:].shape)
        if grad_cell_states is not None:
            grad_cell_states = self._checked(
                "grad_cell_states", grad_cell_states, history[1:].shape
            )
        W_h = self._blocks(self.params["W_h"])  # (4, H, H)
        i, f, g, o = parts

        slope_c = o * (1 - tanh_c * tanh_c)
        slope_i = g * i * (1 - i)
        slope_f = cells[:-1] * f * (1 - f)
        slope_g = i * (1 - g * g)
        slope_o = tanh_c * o * (1 - o)

        dh = np.empty_like(history[1:])
        d_parts = np.empty_like(parts)
        da_i, da_f, da_g, da_o = d_parts
        carry, dc, buffer = (np.zeros_like(history[0]) for _ in range(3))
        part_buffer = np.empty_like(parts[:, 0])  # (4, B, H)
        for t in reversed(range(len(dh))):
            np.add(grad_states[t], carry, out=dh[t])
            dc += np.multiply(dh[t], slope_c[t], out=buffer)
            if grad_cell_states is not None:
                dc += grad_cell_states[t]
            np.multiply(dc, slope_i[t], out=da_i[t])
            np.multiply(dc, slope_f[t], out=da_f[t])
            np.multiply(dc, slope_g[t], out=da_g[t])
            np.multiply(dh[t], slope_o[t], out=da_o[t])
            np.matmul(d_parts[:, t], W_h, out=part_buffer)  # W_hᵀ da of each part
            part_buffer.sum(axis=0, out=carry)
            dc *= f[t]  # from here on dL/dc of the step before
        self.state_gradients = self._turn(dh)

        grads = self._input_gradients(m["x"], d_parts)
        grads["W_h"], b_h = self._weight_gradients(d_parts, history[:-1])
        if self.bias:
            grads["b_h"] = b_h
        grads["state"] = (carry, dc)
        return grads
