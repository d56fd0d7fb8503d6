"""Models of cells, synapses and receptors: files that are read, checked and put together into values."""

from neurosim.models.kinds import CellModel, SynapseModel, cells, load_cell, load_synapse, receptors, synapses
from neurosim.models.parts import Parameter, Receptor, SpikeRule, psp
from neurosim.models.protocols import PROTOCOLS, Expected
from neurosim.models.sets import ParameterSet

__all__ = [
    "PROTOCOLS",
    "CellModel",
    "Expected",
    "Parameter",
    "ParameterSet",
    "Receptor",
    "SpikeRule",
    "SynapseModel",
    "cells",
    "load_cell",
    "load_synapse",
    "psp",
    "receptors",
    "synapses",
]
