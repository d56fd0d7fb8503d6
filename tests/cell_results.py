"""Made-up results of cells and of networks, and figures of them as examples for the tests of figures."""

import numpy as np

from neurosim import figures
from neurosim.experiments import FICurve
from neurosim.fitting.scores import Score, Transfer
from neurosim.measures import Coincidence
from neurosim.responses import Response, Stimulus
from neurosim.time_steps import STEPS, TimeStepErrors
from neurosim.units import Hz, ms, mV, nS, pA, second
from neurosim.waveforms import ornstein_uhlenbeck, ramp

MODELS = ("leaky", "leaky_adaptive_threshold", "exponential_leaky", "adex", "izhikevich_2007")
REGIMES = ("fluctuation-driven", "mean-driven", "conductance noise", "unseen regime")


def stimulus(conductance=True):
    waveforms = {"I_e": ornstein_uhlenbeck(200 * pA, 100 * pA, 5 * ms, 1 * second, 0.5 * ms, 1)}
    if conductance:
        waveforms["G_exc"] = ramp(0 * nS, 5 * nS, 1 * second, 0.5 * ms)
        waveforms["G_inh"] = ramp(9 * nS, 2 * nS, 0.8 * second, 0.5 * ms)
    return Stimulus("noise", waveforms)


def response(cell, played, spikes=(0.1, 0.32, 0.55, 0.9), peak=None, dt=0.5):
    """A response whose potential wanders from -70 to -50 mV and, with a peak, shows each spike for 1 ms."""
    times = np.arange(0, 1, dt * 1e-3)
    v = -60.0 + 10.0 * np.sin(40 * times + len(cell))
    for spike in () if peak is None else spikes:
        v[(times >= spike) & (times < spike + 1e-3)] = peak
    return Response(played, cell, np.array(spikes) * second, {"v": v * mV}, dt * ms)


def answers(models=MODELS, conductance=True):
    played = stimulus(conductance)
    shifts = 0.004 * np.arange(len(models))
    found = [response(name, played, 0.1 + shift + np.arange(4) * 0.2) for name, shift in zip(models, shifts, strict=True)]
    return [response("pospischil_rs", played, peak=45.0), *found]


def curve(cell, rheobase, slope, currents=11):
    amplitudes = np.linspace(0, 500, currents)
    rates = np.clip(amplitudes - rheobase, 0, None) * slope
    latencies = np.where(rates > 0, 0.02, np.nan)
    return FICurve(cell, amplitudes * pA, np.round(rates).astype(int), rates * Hz, latencies * second)


def score(name, gamma, wide=0.04, spikes=600, interval=None):
    """A score whose Gamma at +-2 ms is given; at +-1 ms it is 0.1 less and at +-4 ms 0.1 more."""
    hits = round(0.8 * spikes)
    known = [
        Coincidence(gamma + more, hits, spikes - hits, 30, 10.2 * Hz, 10 * Hz, precision * ms)
        for precision, more in ((1, -0.1), (2, 0.0), (4, 0.1))
    ]
    low, high = (gamma - wide, gamma + wide) if interval is None else interval
    return Score(name, tuple(known), gamma + np.array([-0.1, 0.0, 0.1]), low, high)


def scores(models=MODELS):
    rng = np.random.default_rng(0)
    return {
        name: [score(regime, top - 0.1 * row + 0.02 * rng.standard_normal()) for row, regime in enumerate(REGIMES)]
        for name, top in zip(models, np.linspace(0.6, 0.95, len(models)), strict=True)
    }


def matrix(rows, columns, low=-0.12):
    gamma = np.linspace(low, 0.97, len(rows) * len(columns)).reshape(len(rows), len(columns))
    return Transfer(tuple(rows), tuple(columns), gamma, np.clip(gamma + 0.02, 0, 1))


def spectrum(peak):
    frequencies = np.arange(1.0, 400.0)
    return frequencies * Hz, 1 + peak / (1 + ((frequencies - 40) / 8) ** 2)


def network(resting, cells=2):
    times = np.arange(0, 0.5, 1e-3)
    wander = np.sin(30 * times + np.arange(cells)[:, None])
    return times * second, {"v": (resting + 5 * wander) * mV, "g_exc": (2 + wander) * nS, "g_inh": (9 + 4 * wander) * nS}


def activity():
    rng, rates = np.random.default_rng(1), {}
    for name, mean in (("Traub-Miles, exc", 5), ("Traub-Miles, inh", 9), ("leaky, exc", 6), ("leaky, inh", 8)):
        rates[name] = rng.gamma(3.0, mean / 3.0, 200)
    cvs = {name: np.append(rng.normal(0.9, 0.1, 199), np.nan) for name in rates}
    return {
        "rate": {name: one * Hz for name, one in rates.items()},
        "CV of intervals": cvs,
        "synchrony": {name: 0.1 + 0.05 * row for row, name in enumerate(rates)},
    }


def step_errors(cell, method="rk2", rule="refractory", order=1, at=1e-3):
    """Errors of a cell that has an order: `at` is that of the interval at 0.1 ms; at 1 ms spikes are missing."""
    dts = np.array([1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5])
    interval = np.append(np.inf, at * (dts[1:] / 1e-4) ** order)
    rows = list(zip(dts, np.where(np.isinf(interval), 8, 10), interval / 10, interval / 5, interval, strict=True))
    return TimeStepErrors(cell, method, rule, np.array(rows, STEPS), 1e-9, 0.02)


def all_step_errors():
    smooth = [step_errors(name, "exponential_euler", "crossing", 1, 0.02 * n) for n, name in enumerate(("pospischil_rs", "traub_miles"), 1)]
    smooth.append(step_errors("wang_buzsaki", "rk4", "crossing", 4, 1e-4))
    simple = [step_errors(f"{name}_{n}", method, at=1e-3 * n) for n, method in enumerate(("rk2", "exact"), 1) for name in MODELS]
    return [*smooth, *simple]


COSTS = {name: np.array([1.0, 1.1, 1.3]) * 2.0**place * 1e-5 for place, name in enumerate(("pospischil_rs", *MODELS))}
NETWORKS = {"Traub-Miles": network(-62), "leaky": network(-60)}
SPECTRA = {"Traub-Miles, exc": spectrum(20), "leaky, exc": spectrum(12), "Traub-Miles, inh": spectrum(30), "leaky, inh": spectrum(3)}

CELL_EXAMPLES = {
    "responses": lambda: figures.responses(answers(), between=(0.2 * second, 0.7 * second)),
    "responses of two": lambda: figures.responses(answers(MODELS[:1], conductance=False)),
    "responses of one": lambda: figures.responses(answers((), conductance=False)),
    "fi_curves": lambda: figures.fi_curves(
        [curve("pospischil_rs", 90, 0.1), *(curve(name, 70 + 20 * n, 0.1 + 0.03 * n) for n, name in enumerate(MODELS))], "pospischil_rs"
    ),
    "coincidence": lambda: figures.coincidence(scores()),
    "coincidence of few": lambda: figures.coincidence({"adex": [score("noise", 0.9)], "leaky": [score("noise", np.nan), score("b", -0.1)]}),
    "transfer": lambda: figures.transfer(matrix(REGIMES[:3], REGIMES)),
    "transfer of long names": lambda: figures.transfer(matrix(MODELS, [f"fluctuation_driven_{n}" for n in range(6)], 0.1), "share"),
    "cell_cost": lambda: figures.cell_cost(COSTS),
    "cell_cost of single runs": lambda: figures.cell_cost({"hodgkin_huxley": 0.02, "leaky": 1e-6}),
    "spectra": lambda: figures.spectra(SPECTRA),
    "time_steps": lambda: figures.time_steps(all_step_errors()),
    "time_steps of one": lambda: figures.time_steps([step_errors("leaky", "exact")]),
    "traces": lambda: figures.traces(NETWORKS),
    "distributions": lambda: figures.distributions(activity()),
    "distributions of one": lambda: figures.distributions({"rate": activity()["rate"]}),
}


def column(figure, wanted, **where):
    """Return a column of a figure's data, of the rows in which other columns have these values."""
    rows = np.all([figure.data[header] == value for header, value in where.items()], axis=0)
    return figure.data[wanted][rows]
