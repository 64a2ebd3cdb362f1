"""PNG plots of results, where matplotlib is installed (the extra ``bench``)."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.report import Plot, Result


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw all plots; returns what was written, which is nothing without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [_draw(plot, folder / f"{plot.name}.png") for result in results for plot in result.plots]


def _draw(plot: Plot, path: Path) -> Path:
    importlib.import_module("matplotlib").use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")  # by name: types are checked without it, too
    figure, axes = pyplot.subplots(figsize=(8, 4.5), dpi=120)
    (_bars if plot.categories else _lines)(axes, plot)
    axes.set_title(plot.title, fontsize=11)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.grid(visible=True, alpha=0.3, which="both" if plot.logarithmic else "major")
    axes.legend(fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return path


def _lines(axes: Any, plot: Plot) -> None:
    for series in plot.series:
        axes.plot(series.x, series.y, marker="o" if plot.markers else None, label=series.label)
    if plot.logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _bars(axes: Any, plot: Plot) -> None:
    width = 0.8 / len(plot.series)
    for number, series in enumerate(plot.series):
        places = [place + (number - (len(plot.series) - 1) / 2) * width for place in range(len(plot.categories))]
        bars = axes.bar(places, series.y, width, label=series.label)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_xticks(range(len(plot.categories)), plot.categories, fontsize=9)
    axes.margins(y=0.15)
