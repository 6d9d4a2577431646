"""Drawings of one step of a recurrent cell: the plain RNN, the GRU in three builds, the LSTM.

Time runs from left to right. Boxes are layers with weights (blue: gates, amber: the candidate),
circles are operations without weights. Lines that cross without a dot do not meet. All functions
draw on the axes that they are given and set their limits.
"""

from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from helpers.plotting import COLOURS

GATE, CANDIDATE, STATE = "#CFE8F6", "#FBE3B5", COLOURS["blue"]
INK = "#303030"
RIGHT = 9.2  # where the lines leave the drawing


class Node(NamedTuple):
    """A box or a circle; its four sides are points where lines end."""

    x: float
    y: float
    half_width: float
    half_height: float

    @property
    def left(self):
        return self.x - self.half_width, self.y

    @property
    def right(self):
        return self.x + self.half_width, self.y

    @property
    def top(self):
        return self.x, self.y + self.half_height

    @property
    def bottom(self):
        return self.x, self.y - self.half_height

    def below(self, shift):
        """A point of the lower side, `shift` to the right of its middle."""
        return self.x + shift, self.y - self.half_height


def box(axes: Axes, x, y, text, colour="white", width=1.0, height=0.6) -> Node:
    """A rounded box with a text in it, centred at (x, y)."""
    corner = (x - width / 2, y - height / 2)
    style = {"boxstyle": "round,pad=0,rounding_size=0.1", "fc": colour, "ec": INK, "lw": 1.2}
    axes.add_patch(FancyBboxPatch(corner, width, height, zorder=3, **style))
    axes.text(x, y, text, ha="center", va="center_baseline", fontsize=12, color=INK, zorder=4)
    return Node(x, y, width / 2, height / 2)


def operation(axes: Axes, x, y, sign) -> Node:
    """A circle with "+", "×" or "·" in it; the last one is the Hadamard product's sign."""
    axes.add_patch(Circle((x, y), 0.2, fc="white", ec=INK, lw=1.2, zorder=3))
    if sign == "·":  # drawn, since a font's dot is not in the middle
        axes.add_patch(Circle((x, y), 0.05, fc=INK, ec=INK, zorder=4))
    else:
        for end in ((0.12, 0), (0, 0.12)) if sign == "+" else ((0.085, 0.085), (0.085, -0.085)):
            line = [x - end[0], x + end[0]], [y - end[1], y + end[1]]
            axes.plot(*line, color=INK, lw=1.4, zorder=4)
    return Node(x, y, 0.2, 0.2)


def wire(axes: Axes, *points, colour=INK, width=1.3) -> None:
    """A line through the points, with a head at the last one."""
    for (x, y), (to_x, to_y) in pairwise(points):
        if x != to_x and y != to_y:
            raise ValueError(f"expected level or upright lines, got one to {to_x, to_y}")
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points),
            arrowstyle="-|>,head_length=0.5,head_width=0.22",
            mutation_scale=12,
            color=colour,
            lw=width,
            joinstyle="round",
            zorder=2,
        )
    )


def dot(axes: Axes, x, y, colour=INK) -> None:
    """The mark of a branch: the lines that meet here are joined."""
    axes.add_patch(Circle((x, y), 0.06, fc=colour, ec=colour, zorder=3))


def label(axes: Axes, x, y, text, **style) -> None:
    axes.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": 12, "color": INK} | style)


def frame(axes: Axes, top=4.5) -> None:
    axes.set(xlim=(-0.2, 10), ylim=(0, top), aspect="equal")
    axes.axis("off")


def gru(axes: Axes, gates: int = 2) -> None:
    """One step of a GRU in one of three builds, in the series' letters.

    Args:
        axes: where to draw.
        gates: 0 for the plain RNN, 1 with the update gate (z = 1 keeps), 2 with the reset gate
            as well, which acts before the matrix.
    """
    frame(axes)
    shortcut = {"colour": STATE, "width": 2.6}
    start, rail_h, rail_x, level = (0.9, 4.0), 1.1, 0.4, 2.1
    candidate = box(axes, 7.4, level, r"$\tanh$", CANDIDATE)
    into_h, into_x = candidate.below(-0.25), candidate.below(0.25)
    wire(axes, (0.9, rail_x), (into_x[0], rail_x), into_x)
    label(axes, 0.7, start[1], r"$h_{t-1}$", ha="right")
    label(axes, 0.7, rail_x, r"$x_t$", ha="right")
    label(axes, RIGHT + 0.15, start[1], r"$h_t$", ha="left")

    rail = [(1.3, start[1]), (1.3, rail_h)]
    if gates == 2:
        reset = box(axes, 4.4, level, r"$\sigma$", GATE)
        looks = operation(axes, 5.8, rail_h, "·")
        wire(axes, *rail, looks.left)
        wire(axes, looks.right, (into_h[0], rail_h), into_h)
        wire(axes, reset.right, (looks.x, level), looks.top)
        label(axes, 5.35, level + 0.22, "$r$")
        _feed(axes, reset, rail_h, rail_x)
    else:
        wire(axes, *rail, (into_h[0], rail_h), into_h)
    if gates == 0:
        axes.plot([start[0], 1.3], [start[1]] * 2, color=INK, lw=1.3, zorder=2)
        wire(axes, candidate.top, (7.4, start[1]), (RIGHT, start[1]))
        return

    update = box(axes, 2.6, level, r"$\sigma$", GATE)
    _feed(axes, update, rail_h, rail_x)
    keep, add = operation(axes, 2.6, start[1], "·"), operation(axes, 7.4, start[1], "+")
    write = operation(axes, 7.4, 3.1, "·")
    rest = box(axes, 4.4, 3.1, "$1-$", width=0.6, height=0.42)
    dot(axes, 1.3, start[1], STATE)
    for points in ((start, keep.left), (keep.right, add.left), (add.right, (RIGHT, start[1]))):
        wire(axes, *points, **shortcut)
    wire(axes, update.top, keep.bottom)
    dot(axes, 2.6, rest.y)
    wire(axes, (2.6, rest.y), rest.left)
    wire(axes, rest.right, write.left)
    wire(axes, candidate.top, write.bottom)
    wire(axes, write.top, add.bottom)
    label(axes, 2.35, 3.55, "$z$")
    label(axes, 5.9, 3.32, "$1-z$")
    label(axes, 7.7, 2.65, r"$\tilde h_t$")


def _feed(axes, node, rail_h, rail_x):
    """Lines from both rails, which go on, into the lower side of a box."""
    for shift, rail in ((-0.25, rail_h), (0.25, rail_x)):
        end = node.below(shift)
        dot(axes, end[0], rail)
        wire(axes, (end[0], rail), end)


def gru_elsewhere(axes: Axes) -> None:
    """The GRU as many texts draw it: one bus for [h, x], numbered parts, and z = 1 replaces.

    The numbers 1 to 7 mark: the bus, the reset gate, its product, the candidate, the update gate,
    the "1-" on the old state's way, and the sum.
    """
    frame(axes, top=5.2)
    top, bus, low, level, looks_y = 4.6, 0.95, 0.3, 1.95, 2.9
    start = (0.9, top)
    label(axes, 0.7, top, r"$h_{t-1}$", ha="right")
    label(axes, 0.7, low, r"$x_t$", ha="right")
    label(axes, RIGHT + 0.15, top, r"$h_t$", ha="left")
    reset, update = (box(axes, x, level, r"$\sigma$", GATE) for x in (2.8, 4.8))
    candidate = box(axes, 7.4, level, r"$\tanh$", CANDIDATE)
    looks, keep = operation(axes, 2.8, looks_y, "×"), operation(axes, 4.8, top, "×")
    write, add = operation(axes, 7.4, 3.45, "×"), operation(axes, 7.4, top, "+")
    rest = box(axes, 4.8, 3.97, "$1-$", width=0.6, height=0.4)

    for points in ((start, keep.left), (keep.right, add.left), (add.right, (RIGHT, top))):
        wire(axes, *points)
    for x, y in ((1.4, top), (1.4, looks_y), (1.8, low), (1.8, bus), (2.8, bus), (4.8, 3.45)):
        dot(axes, x, y)
    axes.plot([1.4, 1.4, 1.8], [top, bus, bus], color=INK, lw=1.3, zorder=2)
    axes.plot([1.8, 1.8], [low, bus], color=INK, lw=1.3, zorder=2)
    wire(axes, (1.4, looks_y), looks.left)
    wire(axes, (1.8, bus), (4.8, bus), update.bottom)
    wire(axes, (2.8, bus), reset.bottom)
    wire(axes, reset.top, looks.bottom)
    wire(axes, looks.right, (6.4, looks_y), (6.4, bus), (7.15, bus), candidate.below(-0.25))
    wire(axes, (0.9, low), (7.65, low), candidate.below(0.25))
    wire(axes, update.top, rest.bottom)
    wire(axes, rest.top, keep.bottom)
    wire(axes, (4.8, 3.45), write.left)
    wire(axes, candidate.top, write.bottom)
    wire(axes, write.top, add.bottom)
    places = [(1.6, 0.68), (3.5, level), (3.15, 3.2), (8.1, level), (5.5, level), (5.3, 3.97)]
    for number, (x, y) in enumerate([*places, (7.75, 4.25)], start=1):
        badge = {"boxstyle": "circle,pad=0.2", "fc": COLOURS["blue"], "ec": "none"}
        label(axes, x, y, str(number), fontsize=9, color="white", bbox=badge, zorder=5)


def lstm(axes: Axes) -> None:
    """One step of an LSTM: three gates and the memory line c along the top."""
    frame(axes)
    top, level, rail_h, rail_x = 4.0, 2.0, 1.1, 0.4
    forget, let_in = (box(axes, x, level, r"$\sigma$", GATE) for x in (2.2, 3.9))
    candidate = box(axes, 5.6, level, r"$\tanh$", CANDIDATE)
    output = box(axes, 7.3, level, r"$\sigma$", GATE)
    keep, add = operation(axes, 2.2, top, "·"), operation(axes, 5.6, top, "+")
    write, show = operation(axes, 5.6, 3.0, "·"), operation(axes, 7.3, 2.85, "·")
    squash = box(axes, 7.3, 3.48, r"$\tanh$", width=0.8, height=0.42)
    for node in (forget, let_in, candidate):
        _feed(axes, node, rail_h, rail_x)
    for shift, rail in ((-0.25, rail_h), (0.25, rail_x)):
        end = output.below(shift)
        wire(axes, (0.9, rail), (end[0], rail), end)
    for points in (((0.9, top), keep.left), (keep.right, add.left), (add.right, (RIGHT, top))):
        wire(axes, *points, colour=STATE, width=2.6)
    wire(axes, forget.top, keep.bottom)
    wire(axes, let_in.top, (let_in.x, write.y), write.left)
    wire(axes, candidate.top, write.bottom)
    wire(axes, write.top, add.bottom)
    dot(axes, 7.3, top, STATE)
    wire(axes, (7.3, top), squash.top)
    wire(axes, squash.bottom, show.top)
    wire(axes, output.top, show.bottom)
    wire(axes, show.right, (RIGHT, show.y))
    for x, y, text in ((1.98, 3.2, "$f$"), (3.68, 2.65, "$i$"), (5.85, 2.55, "$g$")):
        label(axes, x, y, text)
    label(axes, 7.55, 2.47, "$o$")
    for y, text in ((top, r"$c_{t-1}$"), (rail_h, r"$h_{t-1}$"), (rail_x, "$x_t$")):
        label(axes, 0.7, y, text, ha="right")
    label(axes, RIGHT + 0.15, top, "$c_t$", ha="left")
    label(axes, RIGHT + 0.15, show.y, "$h_t$", ha="left")
