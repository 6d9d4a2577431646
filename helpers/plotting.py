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


def use_style() -> None:
    """Set how figures and arrays look; call it once, before the first figure.

    Figures: opaque white, text of at least 9 points, a colour-blind-safe cycle. NumPy prints four
    decimals, and no powers of ten where they can be avoided.
    """
    np.set_printoptions(precision=4, suppress=True)
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
        ValueError: the text is too short to say anything, or nothing is drawn.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"expected alt text that says what the figure shows, got {alt!r}")
    if not any(axes.has_data() or axes.texts for axes in figure.axes):
        raise ValueError("expected a figure with something drawn in it, got an empty one")
    picture = io.BytesIO()
    # No software version in the file: the same figure gives the same bytes.
    figure.savefig(picture, format="png", metadata={"Software": None})
    plt.close(figure)
    display(
        {"image/png": picture.getvalue(), "text/plain": f"Figure: {alt}"},
        metadata={"image/png": {"alt": alt}},
        raw=True,
    )


def band(axes: Axes, x: Sequence[float], runs: np.ndarray, label: str, **style) -> None:
    """Draw the mean over seeds as a line and the spread from lowest to highest as a band.

    Args:
        axes: where to draw.
        x: (points,).
        runs: (seeds, points).
        label: for the legend; a key of `CELL_STYLE` brings that style.
        **style: matplotlib line properties that go over it.

    Raises:
        ValueError: the shape of runs does not fit x, or a run holds a value that is not finite.
    """
    runs = np.ma.filled(np.ma.asarray(runs, dtype=float), np.nan)  # what is masked is not drawn
    if runs.ndim != 2 or runs.shape[1] != len(x) or runs.size == 0:
        raise ValueError(f"expected runs of shape (seeds, {len(x)}), got {runs.shape}")
    if not np.isfinite(runs).all():
        seed, point = np.argwhere(~np.isfinite(runs))[0].tolist()
        raise ValueError(f"expected finite runs, got {runs[seed, point]} at {seed, point}")
    (line,) = axes.plot(x, runs.mean(0), label=label, **(CELL_STYLE.get(label, {}) | style))
    axes.fill_between(x, runs.min(0), runs.max(0), color=line.get_color(), alpha=0.18, lw=0)
