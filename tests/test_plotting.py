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


def drawn_colours(axes):
    image = axes.images[0]
    return image.cmap(image.norm(image.get_array()))  # (rows, columns, RGBA), 0 to 1


def test_heatmap_is_white_at_zero_and_equally_strong_on_both_sides():
    axes = plt.figure().subplots()
    plotting.heatmap(axes, np.array([[0.5, -2.0, 0.0]]), ["a", "b", "c"], label="state")
    assert axes.images[0].get_clim() == (-2.0, 2.0)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b", "c"]
    (positive, negative, zero), *_ = drawn_colours(axes)
    assert positive[0] > positive[2] and negative[2] > negative[0]  # red above, blue below
    assert zero[:3].min() > 0.95
    assert axes.figure.axes[1].get_ylabel() == "state"


def test_heatmap_of_zeros_is_white():
    axes = plt.figure().subplots()
    plotting.heatmap(axes, np.zeros((2, 2)), ["a", "b"])
    assert axes.images[0].get_clim() == (-1.0, 1.0)
    assert drawn_colours(axes)[..., :3].min() > 0.95


def test_heatmap_of_words_with_dollars():
    axes = plt.figure().subplots()
    plotting.heatmap(axes, np.ones((1, 2)), [r"$\foo$", "$5-$10"])
    axes.figure.canvas.draw()  # as a formula, the first would be an error and the second italic
    assert not any(tick.get_parse_math() for tick in axes.get_xticklabels())


def test_heatmap_keeps_a_given_limit():
    axes = plt.figure().subplots()
    plotting.heatmap(axes, np.array([[0.5, -0.2]]), ["a", "b"], limit=1.0)
    assert axes.images[0].get_clim() == (-1.0, 1.0)
    for limit in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="limit to be above 0"):
            plotting.heatmap(axes, np.array([[0.5, -0.2]]), ["a", "b"], limit=limit)


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
@pytest.mark.parametrize("name", ["values", "runs"])
def test_nothing_stays_undrawn_in_silence(name, bad):
    axes, values = plt.figure().subplots(), np.ones((2, 3))
    values[1, 2] = bad
    with pytest.raises(ValueError, match=rf"expected finite {name}, got {bad} at \(1, 2\)"):
        if name == "values":
            plotting.heatmap(axes, values, ["a", "b", "c"])
        else:
            plotting.band(axes, [1, 2, 3], values, "GRU")


def test_what_is_masked_is_not_drawn_as_if_it_were_not():
    with pytest.raises(ValueError, match=r"finite values, got nan at \(0, 1\)"):
        plotting.heatmap(plt.figure().subplots(), np.ma.array([[1, 2]], mask=[[0, 1]]), "ab")


@pytest.mark.parametrize("shape", [(2, 2), (3,), (0, 3), (1, 2, 3)])
def test_shapes_that_do_not_fit(shape):
    axes = plt.figure().subplots()
    with pytest.raises(ValueError, match=r"values of shape \(rows, 3\), got \("):
        plotting.heatmap(axes, np.zeros(shape), ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"runs of shape \(seeds, 3\), got \("):
        plotting.band(axes, [1, 2, 3], np.zeros(shape), "GRU")


def test_cells_have_two_cues():
    styles = list(plotting.CELL_STYLE.values())
    for key in ("color", "marker", "linestyle"):
        assert len({style[key] for style in styles}) == len(styles), key
