"""helpers.plotting: figures are opaque, described, reproducible, and refuse wrong shapes."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import plotting


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr(
        plotting, "display", lambda data, metadata, raw: calls.append((data, metadata))
    )
    return calls


def test_show_gives_picture_and_text(shown):
    plotting.use_style()
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3])
        plotting.show(figure, alt="a line that rises from one to three")
    (first, metadata), (second, _) = shown
    assert first["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert first["image/png"] == second["image/png"]  # the same figure, the same bytes
    assert metadata["image/png"]["alt"] in first["text/plain"]
    assert not plt.get_fignums()


def test_show_wants_a_description(shown):
    with pytest.raises(ValueError, match="alt text"):
        plotting.show(plt.figure(), alt="a plot")
    plt.close("all")


def test_text_is_legible():
    plotting.use_style()
    for key in ("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"):
        assert plt.rcParams[key] >= 9
    assert plt.rcParams["figure.facecolor"] == "white"


def test_heatmap_scale_is_symmetric():
    figure, axes = plt.subplots()
    plotting.heatmap(axes, np.array([[0.5, -2.0]]), ["a", "b"], label="state")
    assert axes.images[0].get_clim() == (-2.0, 2.0)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b"]
    with pytest.raises(ValueError, match=r"\(rows, 3\)"):
        plotting.heatmap(axes, np.zeros((2, 2)), ["a", "b", "c"])
    plt.close(figure)


def test_band_draws_mean_and_range():
    figure, axes = plt.subplots()
    plotting.band(axes, [1, 2], np.array([[0.0, 1.0], [1.0, 3.0]]), "GRU")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 2.0])
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert (low, high) == (0.0, 3.0)
    with pytest.raises(ValueError, match="seeds"):
        plotting.band(axes, [1, 2], np.zeros((3, 4)), "GRU")
    plt.close(figure)


def test_cells_have_two_cues():
    styles = list(plotting.CELL_STYLE.values())
    for key in ("color", "marker", "linestyle"):
        assert len({style[key] for style in styles}) == len(styles), key
