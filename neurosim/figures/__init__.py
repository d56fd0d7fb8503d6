"""Figures for papers: each function takes data (and axes), returns the matplotlib Figure and touches no global state."""

from neurosim.figures.census import census
from neurosim.figures.membrane import membrane
from neurosim.figures.raster import raster
from neurosim.figures.receptive_fields import receptive_fields
from neurosim.figures.saving import save
from neurosim.figures.weights import weights

__all__ = ["census", "membrane", "raster", "receptive_fields", "save", "weights"]
