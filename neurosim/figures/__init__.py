"""Figures for papers: each function takes data (and axes), returns the Figure with what it drew as `figure.data`, and touches no global state."""

from neurosim.figures.balance import balance
from neurosim.figures.cell_cost import cell_cost
from neurosim.figures.census import census
from neurosim.figures.clones import clones
from neurosim.figures.coincidence import coincidence
from neurosim.figures.comparison import comparison
from neurosim.figures.competition import competition
from neurosim.figures.connectivity import connectivity
from neurosim.figures.cost import cost
from neurosim.figures.courses import courses
from neurosim.figures.degrees import degrees
from neurosim.figures.distributions import distributions
from neurosim.figures.epoch_balance import epoch_balance
from neurosim.figures.fi_curves import fi_curves
from neurosim.figures.lineage import lineage
from neurosim.figures.membrane import membrane
from neurosim.figures.patterns import firing_patterns
from neurosim.figures.plasticity import plasticity
from neurosim.figures.raster import raster
from neurosim.figures.receptive_fields import receptive_fields
from neurosim.figures.responses import responses
from neurosim.figures.saving import save
from neurosim.figures.setpoint import setpoint
from neurosim.figures.spectra import spectra
from neurosim.figures.survival import survival
from neurosim.figures.time_steps import time_steps
from neurosim.figures.traces import traces
from neurosim.figures.transfer import transfer
from neurosim.figures.weight_histogram import weight_histogram
from neurosim.figures.weights import weights

__all__ = [
    "balance",
    "cell_cost",
    "census",
    "clones",
    "coincidence",
    "comparison",
    "competition",
    "connectivity",
    "cost",
    "courses",
    "degrees",
    "epoch_balance",
    "firing_patterns",
    "distributions",
    "fi_curves",
    "lineage",
    "membrane",
    "plasticity",
    "raster",
    "receptive_fields",
    "responses",
    "save",
    "setpoint",
    "spectra",
    "survival",
    "time_steps",
    "traces",
    "transfer",
    "weight_histogram",
    "weights",
]
