"""Simulate spiking populations that develop: cells divide, die and rewire while their synapses learn."""

import sys

# Brian2 reports every uncaught error of a script as one of its own; ours are to be read as they are.
_hook = sys.excepthook
import brian2  # noqa: E402, F401

sys.excepthook = _hook

from neurosim import figures, measures, units, waveforms
from neurosim.backends.brian2 import Brian2
from neurosim.circuit import Circuit
from neurosim.currents import NoiseCurrent, StepCurrent, WaveformInput
from neurosim.describe import describe
from neurosim.distributions import Exponential, LogNormal, Normal, Uniform
from neurosim.errors import Interrupted, NonFiniteStateError, TimeStepWarning, UnsupportedModelError
from neurosim.events import Events
from neurosim.experiments import Convergence, FICurve, computing_time, convergence, fi_curve, rheobase
from neurosim.export import to_brian2
from neurosim.fitting import Fitted, Score, Search, Transfer, fit, score, transfer
from neurosim.lifecycle.develop import develop
from neurosim.lifecycle.folder import RunFolder, load_circuit, load_history, save_history
from neurosim.lifecycle.history import History
from neurosim.lifecycle.phases import Lifecycle, Phase
from neurosim.lifecycle.rules import Apoptosis, Division, Rewiring
from neurosim.lifecycle.selection import Busiest, Everyone, Idlest, RateAbove, RateBelow, Selected, UseAbove, UseBelow, WeightBelow
from neurosim.lifecycle.yoked import Yoked, yoked
from neurosim.models.saving import save_model
from neurosim.models import CellModel, SynapseModel, cells, load_cell, load_synapse, psp, receptors, synapses
from neurosim.poisson import PoissonSpikes
from neurosim.population import Population, create
from neurosim.projection import Projection, connect
from neurosim.recording import Recording, Spikes, Trace
from neurosim.report import write_report
from neurosim.rewards import Reward
from neurosim.responses import Response, Stimulus, respond
from neurosim.simulate import simulate
from neurosim.stimuli import PoissonInput, Presentations, SpikeTimes
from neurosim.storage import save_circuit
from neurosim.surgery import Edit, apply, plan, replay
from neurosim.waveforms import Waveform
from neurosim.wiring import AllToAll, DistanceKernel, FixedInDegree, FixedProbability, OneToOne, Pairs
