"""Does a network that grows all of its synapses by itself come to the same in two simulators?

800 excitatory and 200 inhibitory leaky cells begin without any synapse, under Poisson input that alone lets them fire at 4 Hz. Each has
axonal and dendritic elements, which grow or retract by a Gaussian curve of its calcium: excitatory cells aim at 5 Hz, inhibitory ones
at 20 Hz. At each update synapses that lost an element break and vacant elements pair at random. The same runs in NEST, which has this
network as its example structural_plasticity.py: with updates every 10 s, as there, and every 100 ms, for 200 s. Where NEST is not
installed, it is left out, and that is said.

The cells are those of the example as it runs: it fills a block of cell parameters, and names a model, that it never uses, so that its
cells are iaf_psc_alpha with the defaults of that model. One excitatory spike then makes 7.6 mV, not 1 mV as its comment says.

Expected finding: with updates every 100 ms mean calcium comes to both set-points, synapses settle, and both simulators do the same all
along: numbers of synapses differ by less than 10 %, mean calcium by less than 5 % (margins set beforehand). With updates every 10 s, as
long as the time constant of calcium, synapses come too late, and activity overshoots and swings. For the first
100 s both simulators still do nearly the same (within 5 %); then inhibitory cells are above their set-point and lose several elements
between two updates, and numbers at the end are those of a seed. NEST 3.10 does not break as many synapses then as elements were lost:
whenever one breaks at a cell that has too many, it raises the elements to the synapses that are left, so that all but one of those
that break are replaced in the same update.

References: Butz & van Ooyen (2013), doi:10.1371/journal.pcbi.1003259 (rule); Diaz-Pier et al. (2016), doi:10.3389/fnana.2016.00057
(rule in NEST); NEST 3.10, pynest/examples/structural_plasticity.py (parameters).
Runtime on 2 cores, after the first compile (some seconds): smoke some seconds, small three minutes, full a quarter of an hour, most of it NEST's.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, study
from neurosim.units import kHz, ms, pA

OURS, NEST = SIMULATORS = ("neurosim", "NEST")
WEIGHT, DELAY = 585.0, 1.0  # pA, ms
RATE, INPUT = 10.0, 6.2  # of the Poisson input of each cell: kHz, pA
NEURON = {"beta_Ca": 0.001, "tau_Ca": 10_000.0}  # calcium of a spike; its time constant, ms
HZ = 1e3 / (NEURON["beta_Ca"] * NEURON["tau_Ca"])  # rate at which NEST's calcium is 1 on the average
TARGETS = {"exc": 0.05, "inh": 0.2}  # calcium
SIGNS = {"exc": "excitatory", "inh": "inhibitory"}
MARGINS = {"synapses": 0.10, "calcium": 0.05}
LATER = 1  # ms after an update at which NEST is looked at


def element(population: str, growth_rate: float = 1e-4) -> dict:
    """Describe synaptic elements as NEST does: calcium as above, times in ms."""
    curve = {"growth_curve": "gaussian", "eta": 0.0, "eps": TARGETS[population]}
    return {**curve, "growth_rate": growth_rate, "continuous": False, "tau_vacant": 0.1}


ELEMENTS = {
    "exc": {name: element("exc") for name in ("Axon_ex", "Den_ex", "Den_in")},
    "inh": {"Axon_in": element("inh"), "Den_ex": element("inh", 4e-4), "Den_in": element("inh")},
}
SYNAPSES = {
    kind: {"synapse_model": kind, "pre_synaptic_element": f"Axon_{kind}", "post_synaptic_element": f"Den_{kind}"} for kind in ("ex", "in")
}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells, ms of updates and of the whole, and between samples; our target."""

    cells: int = 1000
    updates: tuple = (100, 10_000)
    duration: int = 200_000
    every: int = 10_000
    target: str = "library"

    @property
    def sizes(self) -> dict[str, int]:
        """The number of cells of each population."""
        return {"exc": self.cells * 4 // 5, "inh": self.cells // 5}


PLANS = {"full": Plan(), "small": Plan(duration=60_000), "smoke": Plan(50, (20, 40), 120, 40, "numpy")}


def in_neurosim(plan: Plan, update: int, seed: int) -> dict:
    """Run the network in neurosim, with an epoch for each update, and return its course."""
    cells = {name: ns.create(name, "leaky_alpha", size, sign=SIGNS[name]) for name, size in plan.sizes.items()}
    projections = [
        ns.connect(source, target, "static", ns.Pairs([], []), receptor=f"x_{source.name}", weight=WEIGHT * pA, delay=DELAY * ms)
        for source, target in product(cells.values(), repeat=2)
    ]
    circuit = ns.Circuit(list(cells.values()), projections, seed=seed)
    drive = [ns.PoissonInput(name, "x_exc", rate=RATE * kHz, weight=INPUT * pA) for name in cells]
    rule = ns.elements_from_nest({name: {**NEURON, "synaptic_elements": of} for name, of in ELEMENTS.items()}, SYNAPSES, update)
    life = ns.Lifecycle(update * ms, [ns.Phase("growth", plan.duration // update, [rule])])
    history = ns.develop(circuit, life, inputs=drive, backend=ns.Brian2(dt=0.1 * ms, target=plan.target), progress=False)
    synapses, ledgers, every, found = history.connectivity, history.ledgers, plan.every // update, {}
    for name in TARGETS:
        count = sum(synapses["synapses"][synapses["name"] == f"{name}_to_{to}"] for to in TARGETS)
        calcium = ledgers["mean"][(ledgers["name"] == name) & (ledgers["ledger"] == "calcium")]
        found |= {f"synapses, {name}": count[every::every], f"calcium, {name}": calcium[every::every]}
    return {key: values.tolist() for key, values in found.items()}


def in_nest(plan: Plan, update: int, seed: int) -> dict:
    """Run the network in NEST, on one thread, and return its course, read just after updates."""
    os.environ["PYNEST_QUIET"] = "1"
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=1, rng_seed=seed + 1, structural_plasticity_update_interval=float(update))
    for kind, sign in {"ex": 1, "in": -1}.items():
        nest.CopyModel("static_synapse", kind, {"weight": sign * WEIGHT, "delay": DELAY})
    nest.structural_plasticity_synapses = SYNAPSES
    cells = {name: nest.Create("iaf_psc_alpha", size, {**NEURON, "synaptic_elements": ELEMENTS[name]}) for name, size in plan.sizes.items()}
    noise = nest.Create("poisson_generator", params={"rate": 1e3 * RATE})
    for part in cells.values():
        nest.Connect(noise, part, "all_to_all", {"weight": INPUT, "delay": DELAY})
    nest.EnableStructuralPlasticity()
    nest.Simulate(float(LATER))
    found = {f"{what}, {name}": [] for name in cells for what in MARGINS}
    for _ in range(plan.duration // plan.every):
        nest.Simulate(float(plan.every))
        for (name, part), kind in zip(cells.items(), ("ex", "in"), strict=True):
            found[f"synapses, {name}"].append(len(nest.GetConnections(synapse_model=kind)))
            found[f"calcium, {name}"].append(float(np.mean(part.Ca)) * HZ)
    return found


def lived(simulator: str, plan: Plan, update: int, seed: int, *, folder: Path, progress) -> dict:
    """Run the network of one seed in one simulator."""
    return {OURS: in_neurosim, NEST: in_nest}[simulator](plan, update, seed)


def compared(courses: dict, update: int) -> dict:
    """Return what each simulator came to, by quantity, as the mean of the first half and at the end: the mean over seeds and its spread."""
    rows = {}
    for what, name in product(MARGINS, TARGETS):
        several = {
            one: np.array([found[f"{what}, {name}"] for found in courses[one, update]]) for one in SIMULATORS if (one, update) in courses
        }
        half = -(-next(iter(several.values())).shape[1] // 2)
        for when, part in {"first half": slice(half), "at the end": slice(-1, None)}.items():
            values = {one: found[:, part].mean(axis=1) for one, found in several.items()}
            row = {one: float(found.mean()) for one, found in values.items()}
            row["sd of seeds"] = max(float(found.std(ddof=1)) if len(found) > 1 else np.nan for found in values.values())
            if NEST in row:
                row |= {"difference": row[OURS] / row[NEST] - 1 if row[NEST] else np.nan, "margin": MARGINS[what]}
            rows[f"{what}, {name}, {when}, updates every {update / 1000:g} s"] = row
    return rows


def structural_homeostasis(run: study.Run) -> tuple[dict, str]:
    """Run the study: both simulators, all intervals between updates, all seeds."""
    plan = PLANS[run.scale]
    simulators = [one for one in SIMULATORS if one == OURS or find_spec("nest")]
    cases = list(product(run.seeds, plan.updates, simulators))
    ran = run.each(lived, {f"{one}, updates every {update} ms, seed {seed}": (one, plan, update, seed) for seed, update, one in cases})
    courses = {(one, update): [] for one, update in product(simulators, plan.updates)}
    for (_, update, one), found in zip(cases, ran.values(), strict=True):
        courses[one, update].append(found)
    results = {name: row for update in plan.updates for name, row in compared(courses, update).items()}
    times = np.arange(plan.every, plan.duration + 1, plan.every) * ms
    labels = {f"{what}, {name}": f"{what}, {name}{' (Hz)' if what == 'calcium' else ''}" for what, name in product(MARGINS, TARGETS)}
    measured = {
        label: {f"{one}, {update / 1000:g} s": (times, [found[key] for found in several]) for (one, update), several in courses.items()}
        for key, label in labels.items()
    }
    levels = {labels[f"calcium, {name}"]: HZ * target for name, target in TARGETS.items()}
    figures.save(figures.courses(measured, levels=levels), run.folder, "courses")
    text = study.tabulate(f"means, seeds: {len(run.seeds)}", results, [*simulators, "sd of seeds", "difference", "margin"])
    if NEST not in simulators:
        return results, f"{text}\n\nNEST is not installed, so that nothing is compared; pip install 'neurosim[peers]'"
    within = [abs(row["difference"]) <= row["margin"] for row in results.values()]
    return results, f"{text}\n\ndifferences within their margins: {sum(within)} of {len(within)}"


if __name__ == "__main__":
    study.conduct(structural_homeostasis, __doc__, seeds=3)
