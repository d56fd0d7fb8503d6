"""What the tests of fits and scores share: one leaky cell whose fitted parameters are its cells' own, so that all run on one library."""

import neurosim as ns
from neurosim import waveforms
from neurosim.units import ms, mV, nS, pA, pF, second

GRID = 0.1 * ms
LIBRARY = ns.Brian2(dt=GRID, target="library")
LEAKY = ns.load_cell("leaky_conductance").replace(g_L=20 * nS, E_L=-70 * mV)
# leak and rest are left: they only set the scales of current and potential
BOUNDS = {"C_m": (50 * pF, 600 * pF), "V_th": (-65 * mV, -20 * mV), "V_reset": (-100 * mV, -40 * mV), "tau_ref": (0 * ms, 20 * ms)}


def like(**values):
    """A leaky cell with other parameters."""
    return LEAKY.replace(**values).with_spread(BOUNDS)


def noise(mean, sd, seconds, seed, tau=5 * ms):
    """Noise current of a mean and standard deviation in pA."""
    current = waveforms.ornstein_uhlenbeck(mean * pA, sd * pA, tau, seconds * second, GRID, seed)
    return ns.Stimulus(f"{mean:g} +- {sd:g} pA", {"I_e": current})


def respond(cell, *stimuli, backend=LIBRARY):
    """What a cell answers to several stimuli."""
    return ns.respond(cell, list(stimuli), backend=backend, progress=False)
