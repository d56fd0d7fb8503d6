"""Simulate spiking populations that develop: cells divide, die and rewire while their synapses learn."""

import sys

# Brian2 reports every uncaught error of a script as one of its own; ours are to be read as they are.
_hook = sys.excepthook
import brian2  # noqa: E402, F401

sys.excepthook = _hook

from neurosim import figures, measures, units, waveforms
from neurosim.backends.brian2 import Brian2
from neurosim.circuit import Circuit
from neurosim.conduction import Conduction
from neurosim.currents import NoiseCurrent, StepCurrent, WaveformInput
from neurosim.describe import describe
from neurosim.distributions import Exponential, LogNormal, Normal, Steps, Uniform
from neurosim.errors import Interrupted, NonFiniteStateError, TimeScaleWarning, TimeStepWarning, UnsupportedModelError
from neurosim.events import Events
from neurosim.digits import digits
from neurosim.experiments import Convergence, FICurve, computing_time, convergence, fi_curve, rheobase
from neurosim.export import to_brian2
from neurosim.fitting import Fitted, Score, Search, Transfer, fit, score, transfer
from neurosim.ledger import FADING, Ledger
from neurosim.lifecycle import presets
from neurosim.lifecycle.apoptosis import Apoptosis, Heirs
from neurosim.lifecycle.chance import Outlived, Random, SetPoint
from neurosim.lifecycle.credit import Credit, Punished
from neurosim.lifecycle.criteria import (
    Above,
    Below,
    Between,
    Bottom,
    Busiest,
    Idlest,
    RateAbove,
    RateBelow,
    Top,
    UseAbove,
    UseBelow,
    WeightBelow,
)
from neurosim.lifecycle.develop import develop
from neurosim.lifecycle.division import Division
from neurosim.lifecycle.element_wiring import ElementWiring
from neurosim.lifecycle.elements import AxonalElements, DendriticElements
from neurosim.lifecycle.energy import Energy
from neurosim.lifecycle.extinction import Extinction
from neurosim.lifecycle.folder import RunFolder, load_circuit, load_history, save_history
from neurosim.lifecycle.growth import Growth, InDegree, Total
from neurosim.lifecycle.growth_curves import GaussianGrowth, LinearGrowth, SigmoidGrowth
from neurosim.lifecycle.history import History
from neurosim.lifecycle.influence import Passthrough, Vitality, WeightBook
from neurosim.lifecycle.maturation import Maturation
from neurosim.lifecycle.memory import Memory
from neurosim.lifecycle.migration import Migration
from neurosim.lifecycle.nest_elements import elements_from_nest
from neurosim.lifecycle.neurogenesis import Differentiation, InputGrowth, Neurogenesis
from neurosim.lifecycle.phases import Lifecycle, Phase
from neurosim.lifecycle.rescaling import rescaled
from neurosim.lifecycle.rewiring import Rewiring
from neurosim.lifecycle.scales import TimeScales, time_scales
from neurosim.lifecycle.schedules import Schedule, pruning_schedule
from neurosim.lifecycle.selection import Everyone, Selected, Selection
from neurosim.lifecycle.supply import Supply
from neurosim.lifecycle.targets import CellRatio
from neurosim.lifecycle.traits import Age, Calcium, CalciumBook, Rate, Use, Value
from neurosim.lifecycle.where import Correlated, Permitted
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
from neurosim.time_steps import TimeStepErrors, step_and_noise, time_step_errors
from neurosim.waveforms import Waveform
from neurosim.wiring import AllToAll, DistanceKernel, FixedInDegree, FixedProbability, OneToOne, Pairs
