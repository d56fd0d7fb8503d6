"""Figures for papers: each function takes data (and axes), returns the Figure with what it drew as `figure.data`, and touches no global state."""

from neurosim.figures.census import census
from neurosim.figures.clones import clones
from neurosim.figures.comparison import comparison
from neurosim.figures.connectivity import connectivity
from neurosim.figures.cost import cost
from neurosim.figures.degrees import degrees
from neurosim.figures.lineage import lineage
from neurosim.figures.membrane import membrane
from neurosim.figures.raster import raster
from neurosim.figures.receptive_fields import receptive_fields
from neurosim.figures.saving import save
from neurosim.figures.survival import survival
from neurosim.figures.weight_histogram import weight_histogram
from neurosim.figures.weights import weights

__all__ = [
    "census",
    "clones",
    "comparison",
    "connectivity",
    "cost",
    "degrees",
    "lineage",
    "membrane",
    "raster",
    "receptive_fields",
    "save",
    "survival",
    "weight_histogram",
    "weights",
]
