"""helpers.plotting: figures are opaque, described, reproducible, and leave nothing undrawn."""

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import plotting


@pytest.fixture(autouse=True)
def style():
    with np.printoptions(), plt.rc_context():
        plotting.use_style()
        yield
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr(
        plotting, "display", lambda data, metadata, raw: calls.append((data, metadata))
    )
    return calls


def test_show_gives_picture_and_text(shown):
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3])
        plotting.show(figure, alt="a line that rises from one to three")
    (first, metadata), (second, _) = shown
    assert first["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert first["image/png"] == second["image/png"]  # the same figure, the same bytes
    assert b"Software" not in first["image/png"]
    assert metadata["image/png"]["alt"] in first["text/plain"]
    assert not plt.get_fignums()


def test_the_saved_picture_is_opaque_white(shown):
    """Also where it is shown on a dark page, and whatever colour the window had."""
    figure, axes = plt.subplots(facecolor="black")
    axes.plot([1, 2, 3])
    plotting.show(figure, alt="a line that rises from one to three")
    pixels = plt.imread(io.BytesIO(shown[0][0]["image/png"]))  # (height, width, RGBA), 0 to 1
    assert (pixels[..., 3] == 1).all()
    for corner in pixels[[0, 0, -1, -1], [0, -1, 0, -1]]:
        assert (corner == 1).all()


@pytest.mark.parametrize("draw", [lambda f: None, lambda f: f.subplots(1, 2)], ids=["", "axes"])
def test_show_wants_something_drawn(shown, draw):
    figure = plt.figure()
    draw(figure)
    with pytest.raises(ValueError, match="something drawn"):
        plotting.show(figure, alt="a picture in which nothing is drawn")
    figure.subplots().text(0, 0, "a word")
    plotting.show(figure, alt="a word at the lower left")
    assert len(shown) == 1


def test_show_wants_a_description(shown):
    figure = plt.figure()
    figure.subplots().plot([1, 2])
    with pytest.raises(ValueError, match="alt text"):
        plotting.show(figure, alt="a plot of a")
    assert plt.get_fignums() and not shown  # nothing is lost: the figure can be shown again
    plotting.show(figure, alt="a line from one to two")


def test_style_is_legible():
    for key in ("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"):
        assert plt.rcParams[key] >= 9
    assert str(np.array([1e-6, 1 / 3])) == "[0.     0.3333]"


def test_band_draws_mean_and_range():
    axes = plt.figure().subplots()
    plotting.band(axes, [1, 2], np.array([[0.0, 1.0], [1.0, 3.0], [5.0, 2.0]]), "GRU", marker="x")
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [2.0, 2.0])
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert (low, high) == (0.0, 5.0)
    look = plotting.CELL_STYLE["GRU"] | {"marker": "x"}
    assert {key: getattr(line, f"get_{key}")() for key in look} == look
    assert line.get_label() == "GRU"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_stays_undrawn_in_silence(bad):
    axes, runs = plt.figure().subplots(), np.ones((2, 3))
    runs[1, 2] = bad
    with pytest.raises(ValueError, match=rf"expected finite runs, got {bad} at \(1, 2\)"):
        plotting.band(axes, [1, 2, 3], runs, "GRU")


def test_what_is_masked_is_not_drawn_as_if_it_were_not():
    runs = np.ma.array([[1, 2]], mask=[[0, 1]])
    with pytest.raises(ValueError, match=r"finite runs, got nan at \(0, 1\)"):
        plotting.band(plt.figure().subplots(), [1, 2], runs, "GRU")


@pytest.mark.parametrize("shape", [(2, 2), (3,), (0, 3), (1, 2, 3)])
def test_shapes_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"runs of shape \(seeds, 3\), got \("):
        plotting.band(plt.figure().subplots(), [1, 2, 3], np.zeros(shape), "GRU")


def test_cells_have_two_cues():
    styles = list(plotting.CELL_STYLE.values())
    for key in ("color", "marker", "linestyle"):
        assert len({style[key] for style in styles}) == len(styles), key
