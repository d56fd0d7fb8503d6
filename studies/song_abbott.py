"""Do synapses that learn from the timing of spikes alone divide into strong and weak ones, and what does that do to a cell's output?

Cells with 1000 excitatory synapses, driven by Poisson spikes at 10, 20 or 40 Hz, and 200 inhibitory ones at 10 Hz. Excitatory weights
begin at their upper bound and learn by the pair rule, in which depression outweighs potentiation by a twentieth. Each seed is a cell of the
same simulation, with sources of its own. Controls: no learning, where weights have to stay what they are, bit for bit; depression weaker
than potentiation, where no synapse has to lose; and half the time step.

Expected finding: weights end near 0 or near their bound, and the faster the input, the fewer are strong (51, 20 and 9 %), so that the
mean input stays just below threshold: the output rate is 14, 14 and 19 Hz, and irregular (CV 0.8). At 10 Hz this takes an hour: after
ten minutes half of the weights are still on their way. Shares of weights hardly depend on the time step, rates do: spikes before and after
the synapse in the same step count as a causal pair, which at 0.1 ms adds half a percent to the potentiation, a tenth of what depression is
stronger by. At 40 Hz the output rate is 19 Hz then, 17 Hz with half the step.

References: Song, Miller & Abbott (2000), doi:10.1038/78829 (cell, rule and protocol).
Runtime on 2 cores, after the first compile (half a minute): smoke some seconds, small half a minute, full three minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, ms, mV, nS, second

CELL = ns.load_cell("leaky_conductance").replace(
    E_L=-70 * mV, V_th=-54 * mV, V_reset=-60 * mV, tau_ref=0 * ms, E_exc=0 * mV, E_inh=-70 * mV, tau_exc=5 * ms, tau_inh=5 * ms
)  # capacitance over leak, 20 ms, is as in the paper
LEAK = 10 * nS
STRONGEST, INHIBITORY = 0.015 * LEAK, 0.05 * LEAK
SOURCES = {"exc": 1000, "inh": 200}  # of each cell
SLOW = 10 * Hz  # rate of inhibitory sources
BOUNDS = (0.2, 0.8)  # shares of the largest weight below and above which a synapse counts as weak and strong
EARLY = 600  # seconds after which the distribution is looked at too
SETTLED = 0.25  # of the time is left out before output rate and CV are measured
COLUMNS = ("w < 0.2", "between", "w > 0.8", "rate (Hz)", "CV")


@dataclass(frozen=True)
class Arm:
    """Hold what one simulation fixes: input rate in Hz, seconds, depression over potentiation, the factor on learning, dt in ms."""

    rate: float
    duration: float
    ratio: float = 1.05
    learning: float = 1.0
    dt: float = 0.1


@dataclass(frozen=True)
class Plan:
    """Hold what a scale fixes: seconds by input rate (Hz), of controls, an epoch and potentials, whether half the dt is run, the target."""

    durations: Mapping = field(default_factory=lambda: {10: 3500, 20: 1000, 40: 1000})
    controls: float = 300
    epoch: float = 10
    shown: float = 0.3
    halved: bool = True
    target: str = "library"

    def arms(self) -> dict[str, Arm]:
        """Name the simulations of the study, controls last; these have the fastest input."""
        arms = {f"{rate} Hz": Arm(rate, duration) for rate, duration in self.durations.items()}
        fastest = max(self.durations)
        if self.halved:
            arms[f"{fastest} Hz, half the dt"] = Arm(fastest, self.durations[fastest], dt=0.05)
        return arms | {
            f"{fastest} Hz, weak depression": Arm(fastest, self.controls, ratio=0.9),
            f"{fastest} Hz, no learning": Arm(fastest, self.controls, learning=0.0),
        }


PLANS = {"full": Plan(), "small": Plan({20: 300, 40: 300}, 100), "smoke": Plan({40: 0.04}, 0.04, 0.02, 0.02, False, "numpy")}


def network(arm: Arm, cells: int, seed: int) -> ns.Circuit:
    """Make cells that share nothing: each has sources of its own, and all excitatory weights begin at their bound."""
    cell = ns.create("cell", CELL, cells)
    rule = ns.load_synapse("stdp_pair").parameter_set("song")
    rule = rule.replace(A_minus=arm.ratio * rule.parameters["A_plus"].value, w_max=STRONGEST)
    sources, projections = {}, []
    for name, sign, synapse, weight in (("exc", "excitatory", rule, STRONGEST), ("inh", "inhibitory", "static", INHIBITORY)):
        sources[name] = ns.create(name, "spike_source", cells * SOURCES[name], sign=sign)
        own = ns.Pairs(np.arange(cells * SOURCES[name]), np.repeat(np.arange(cells), SOURCES[name]))
        projections.append(ns.connect(sources[name], cell, synapse, own, receptor=f"g_{name}", weight=weight))
    return ns.Circuit([*sources.values(), cell], projections, seed=seed)


def learn(arm: Arm, cells: int, seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Let cells learn, kept in the folder; return what was measured of each."""
    life = ns.Lifecycle(
        plan.epoch * second, [ns.Phase("learning", round(arm.duration / plan.epoch), modulate={"exc_to_cell.learning": arm.learning})]
    )
    record = [ns.Spikes("cell"), ns.Trace("exc_to_cell", "weight", every=plan.epoch * second)]
    backend, keep = ns.Brian2(dt=arm.dt * ms, target=plan.target), ns.RunFolder(folder, resume=True)
    how = {"inputs": drive(arm), "record": record, "backend": backend, "progress": progress, "keep": keep}
    history = ns.develop(network(arm, cells, seed), life, **how)
    recording, last = history.recording, shares(history.circuit["exc_to_cell"].weight, cells)
    trains = measures.spike_trains(recording, "cell").values()
    settled = [train[train > SETTLED * recording.duration] for train in trains]
    found = divided(last) | {
        "rate (Hz)": [len(train) / ((1 - SETTLED) * arm.duration) for train in settled],
        "CV": [measures.cv(train) for train in settled],
        "moved": int((last != 1).sum()),
    }
    trace = recording["exc_to_cell"].trace("weight")
    early = np.flatnonzero(trace.t == EARLY * second)
    return found | {"early": divided(shares(trace.values[:, one], cells)) for one in early}


def drive(arm: Arm) -> list:
    """Return the Poisson spikes of all sources."""
    return [ns.PoissonSpikes("exc", arm.rate * Hz), ns.PoissonSpikes("inh", SLOW)]


def shares(weights, cells: int) -> np.ndarray:
    """Return weights as shares of the largest one, a row a cell."""
    return np.asarray(weights / STRONGEST).reshape(cells, -1)


def divided(weights: np.ndarray) -> dict:
    """Return which part of each cell's synapses is weak, neither, and strong."""
    weak, strong = ((weights < BOUNDS[0]).mean(axis=1), (weights > BOUNDS[1]).mean(axis=1))
    return dict(zip(COLUMNS, (part.tolist() for part in (weak, 1 - weak - strong, strong)), strict=False))


def draw(arms: Mapping, plan: Plan, run: study.Run) -> None:
    """Draw weights and potentials of the first cell of each arm, and the output rates of all cells."""
    weights, rates, potentials = {}, {}, {}
    for name, arm in arms.items():
        history = ns.load_history(run.folder / "lives" / name)
        recording = history.recording
        trace = recording["exc_to_cell"].trace("weight")
        weights[name] = trace.t, trace.values[: SOURCES["exc"]]
        counts = measures.binned_counts(recording, "cell", plan.epoch * second) / plan.epoch
        middles = (np.arange(counts.shape[1]) + 0.5) * plan.epoch
        rates[f"{name} in"] = [(middles, cell) for cell in counts]
        traced = [ns.Trace("cell", variable) for variable in ("v", "g_exc", "g_inh")]
        backend = ns.Brian2(dt=arm.dt * ms, target=plan.target)
        _, seen = ns.simulate(history.circuit, plan.shown * second, inputs=drive(arm), record=traced, backend=backend, progress=False)
        potentials[name] = (
            seen["cell"].trace("v").t - seen.start,
            {variable: getattr(seen["cell"], variable)[:1] for variable in ("v", "g_exc", "g_inh")},
        )
    figures.save(figures.competition(weights), run.folder, "competition")
    figures.save(figures.cost(rates, "time (s)", "output rate (Hz)"), run.folder, "rates")
    figures.save(figures.traces(potentials), run.folder, "potentials")


def song_abbott(run: study.Run) -> tuple[dict, str]:
    """Run the study: cells of all input rates, controls, figures, a table."""
    plan, arms = PLANS[run.scale], PLANS[run.scale].arms()
    found = run.each(learn, {name: (arm, len(run.seeds), run.seeds[0], plan) for name, arm in arms.items()})
    draw({name: arms[name] for name in list(arms)[: len(plan.durations)]}, plan, run)
    rows = {}
    for name, one in found.items():
        rows[name] = {column: np.mean(one[column]) for column in COLUMNS}
        if "early" in one:
            rows[f"{name}, after {EARLY} s"] = {column: np.mean(values) for column, values in one["early"].items()}
    text = study.tabulate(f"means, seeds: {len(run.seeds)}", rows, COLUMNS)
    moved = [f"{name}: {one['moved']} of {len(run.seeds) * SOURCES['exc']} weights have moved" for name, one in found.items()]
    return found, "\n\n".join([text, "\n".join(moved)])


if __name__ == "__main__":
    study.conduct(song_abbott, __doc__, seeds=3)
