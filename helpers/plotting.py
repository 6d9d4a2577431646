"""One style for all figures, and the figures that are used more than once.

Knows no data: everything that is drawn comes in as arrays.
"""

import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito (2008): eight colours that colour-blind readers can tell apart. Yellow is left out,
# it is too faint for lines on white.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "sky": "#56B4E9",
    "amber": "#E69F00",
    "black": "#000000",
}
# A network keeps its colour, marker and dash through the series: the second cue beside colour.
CELL_STYLE = {
    "RNN": {"color": COLOURS["orange"], "marker": "o", "linestyle": "--"},
    "GRU": {"color": COLOURS["blue"], "marker": "s", "linestyle": "-"},
    "LSTM": {"color": COLOURS["green"], "marker": "^", "linestyle": "-."},
    "MLP": {"color": COLOURS["pink"], "marker": "D", "linestyle": ":"},
}
DIVERGING = "RdBu_r"  # for signed values; always with limits symmetric about zero
SEQUENTIAL = "cividis"


def use_style() -> None:
    """Set matplotlib's defaults: opaque white, at least 9 points, colour-blind-safe cycle."""
    plt.rcParams.update(
        {
            "figure.figsize": (8, 3.6),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "axes.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
        }
    )


def show(figure: Figure, alt: str) -> None:
    """Show a figure with its text alternative, and close it.

    Args:
        figure: drawn with pyplot or not; closed afterwards, so that it is not shown twice.
        alt: what the picture shows, for readers who cannot see it: what is drawn and what is
            striking. It becomes the picture's alt attribute and its plain-text form.

    Raises:
        ValueError: the text is too short to say anything.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"expected alt text that says what the figure shows, got {alt!r}")
    picture = io.BytesIO()
    # No software version in the file: the same figure gives the same bytes.
    figure.savefig(picture, format="png", metadata={"Software": None})
    plt.close(figure)
    display(
        {"image/png": picture.getvalue(), "text/plain": f"Figure: {alt}"},
        metadata={"image/png": {"alt": alt}},
        raw=True,
    )


def heatmap(
    axes: Axes,
    values: np.ndarray,
    columns: Sequence[str],
    *,
    limit: float | None = None,
    label: str = "",
    signed: bool = True,
) -> None:
    """Draw an array as coloured cells, words or steps along the top.

    Args:
        axes: where to draw.
        values: (rows, columns): one row a unit, one column a word or step.
        columns: the column labels, from left to right.
        limit: the value at the end of the colour scale; the largest magnitude if None.
        label: name and unit of the colour scale.
        signed: symmetric red-to-blue scale about zero; else one hue from zero up.

    Raises:
        ValueError: the number of labels is not the number of columns.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(
            f"expected values of shape (rows, {len(columns)}), one column a label, "
            f"got {values.shape}"
        )
    limit = float(np.abs(values).max()) if limit is None else limit
    image = axes.imshow(
        values,
        aspect="auto",
        cmap=DIVERGING if signed else SEQUENTIAL,
        vmin=-limit if signed else 0.0,
        vmax=limit,
        interpolation="nearest",
    )
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(image, ax=axes, label=label, fraction=0.03, pad=0.01)


def band(axes: Axes, x: Sequence[float], runs: np.ndarray, label: str, **style) -> None:
    """Draw the mean over seeds as a line and the spread from lowest to highest as a band.

    Args:
        axes: where to draw.
        x: (points,).
        runs: (seeds, points).
        label: for the legend; a key of `CELL_STYLE` brings that style.
        **style: matplotlib line properties that go over it.
    """
    runs = np.asarray(runs, dtype=float)
    if runs.ndim != 2 or runs.shape[1] != len(x):
        raise ValueError(f"expected runs of shape (seeds, {len(x)}), got {runs.shape}")
    (line,) = axes.plot(x, runs.mean(0), label=label, **(CELL_STYLE.get(label, {}) | style))
    axes.fill_between(x, runs.min(0), runs.max(0), color=line.get_color(), alpha=0.18, lw=0)
