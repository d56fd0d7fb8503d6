"""The figures of a report: each kept as a file with its data, and shown on the page."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.figures.style import paper
from neurosim.report.page import Markup, picture


class Album:
    """Draw figures for a page and keep each in a folder as PNG and PDF with its data as CSV."""

    def __init__(self, folder: Path, drawn: Callable[[], object] = lambda: None):
        """Keep figures in a folder; `drawn` is called after each."""
        self.folder, self._drawn, self._names = folder, drawn, set()

    def __call__(self, name: str, draw: Callable[[], Figure], alt: str, caption: str) -> Markup:
        """Keep a figure under a name and return it as a picture; `caption` goes on where `alt`, which says what it is, ends."""
        # A phase or a measure may be called "$x$", which is a name and no formula.
        with paper(), matplotlib.rc_context({"text.parse_math": False}):
            png, *_ = figures.save(draw(), self.folder, self._free(name))
        self._drawn()
        return picture(png.read_bytes(), alt, f"{alt}. {caption}")

    def _free(self, wanted: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", wanted).strip("_")
        name = next(one for one in (plain, *(f"{plain}_{number}" for number in range(2, 1000))) if one not in self._names)
        self._names.add(name)
        return name
