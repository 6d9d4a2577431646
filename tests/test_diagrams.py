"""helpers.diagrams: every arrow ends at a box, a circle or the way out, and every part is drawn."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from helpers import diagrams

DRAWINGS = {
    "plain": lambda axes: diagrams.gru(axes, gates=0),
    "update": lambda axes: diagrams.gru(axes, gates=1),
    "both": lambda axes: diagrams.gru(axes, gates=2),
    "elsewhere": diagrams.gru_elsewhere,
    "lstm": diagrams.lstm,
}


@pytest.fixture(params=DRAWINGS)
def drawn(request):
    figure, axes = plt.subplots(figsize=(7.6, 3.5))  # the lessons' size
    DRAWINGS[request.param](axes)
    yield request.param, axes
    plt.close(figure)


def arrows(axes):
    """The points of every arrow, from its start to its tip: (points, 2)."""
    return [p._path_original.vertices for p in axes.patches if isinstance(p, FancyArrowPatch)]


def on_a_border(axes, x, y):
    for patch in axes.patches:
        if isinstance(patch, Circle) and patch.radius > 0.1:
            if np.isclose(np.hypot(x - patch.center[0], y - patch.center[1]), patch.radius):
                return True
        if isinstance(patch, FancyBboxPatch):
            left, low = patch.get_x(), patch.get_y()
            right, high = left + patch.get_width(), low + patch.get_height()
            inside = left - 1e-9 <= x <= right + 1e-9 and low - 1e-9 <= y <= high + 1e-9
            if inside and (
                np.isclose([x, x], [left, right]).any() or np.isclose([y, y], [low, high]).any()
            ):
                return True
    return False


def test_every_arrow_ends_where_something_is(drawn):
    _, axes = drawn
    assert arrows(axes)
    for points in arrows(axes):
        x, y = points[-1]
        assert x == diagrams.RIGHT or on_a_border(axes, x, y), (
            f"an arrow ends in the void at {x, y}"
        )


def test_lines_are_level_or_upright(drawn):
    _, axes = drawn
    for points in arrows(axes):
        steps = np.diff(points, axis=0)
        assert (np.isclose(steps, 0).sum(axis=1) == 1).all()


def test_what_is_drawn_is_inside_the_frame(drawn):
    _, axes = drawn
    figure = axes.figure
    figure.canvas.draw()
    frame = axes.get_window_extent()
    for text in axes.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, text.get_text()
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1, text.get_text()


@pytest.mark.parametrize(
    ("name", "gates", "operations"),
    [("plain", 0, 0), ("update", 1, 3), ("both", 2, 4), ("elsewhere", 2, 4), ("lstm", 3, 4)],
)
def test_each_drawing_has_its_gates_and_operations(name, gates, operations):
    figure, axes = plt.subplots()
    DRAWINGS[name](axes)
    assert [text.get_text() for text in axes.texts].count(r"$\sigma$") == gates
    circles = [p for p in axes.patches if isinstance(p, Circle) and p.radius == 0.2]
    assert len(circles) == operations
    plt.close(figure)


def test_the_builds_only_add():
    """Whatever a build draws, the next one draws at the same place; only ways are split."""
    figure, panels = plt.subplots(1, 3)
    boxes = []
    for gates, axes in enumerate(panels):
        diagrams.gru(axes, gates)
        boxes.append(
            {(p.get_x(), p.get_y()) for p in axes.patches if isinstance(p, FancyBboxPatch)}
        )
    assert boxes[0] < boxes[1] < boxes[2]
    plt.close(figure)


def test_a_slanted_wire_is_refused():
    figure, axes = plt.subplots()
    with pytest.raises(ValueError, match="level or upright"):
        diagrams.wire(axes, (0, 0), (1, 1))
    plt.close(figure)
