"""How much of a network of biophysical cells does a network of leaky cells keep, on the same wiring and the same drive?

80 % excitatory and 20 % inhibitory Traub-Miles cells, each with synapses from 64 of the former (1 nS, or 1 mV) and 16 of the latter (20 nS)
at every scale, as many as 4000 cells at 2 % have in Brette et al. 2007. Their benchmark 3 keeps itself active at 38 Hz, with cells that
fire without input; here cells rest, at -65 mV, and each has Poisson input of its own at 1 kHz: irregular activity at 13 Hz that lasts. The
leaky cell has the same passive membrane; its threshold, reset and refractory time are fitted to Traub-Miles spikes under
Ornstein-Uhlenbeck conductances with the means and standard deviations of those in the network, and tested on other noise and on conductances
recorded there. Then the same network of leaky cells: the same pairs, weights, delays and Poisson spikes; the same with delays longer by the
time by which the leaky cell's spikes come earlier; and a control that must differ, with threshold, reset and refractory time of benchmark 1.

Expected finding: a cell's spikes are predicted from its conductances (Gamma 0.8 to 0.9), but not from the drive of the network, which is
chaotic (0.02). Rates of the fitted network agree within 6 %, CVs within 0.02. Both have a rhythm, the leaky one a faster one (44 Hz after
36 Hz), with 16 % more synchrony: its spikes have no upstroke that takes 2 to 3 ms. Longer delays bring the frequency back, to 31 Hz, but
nearly triple its power: what is lost with the upstroke is not a delay alone. Not fitted, the network fires a third less.

References: Brette et al. (2007), doi:10.1007/s10827-007-0038-6 (cells, network); Destexhe et al. (2001), doi:10.1016/S0306-4522(01)00344-X
(conductances as Ornstein-Uhlenbeck noise); Brunel & Wang (2003), doi:10.1152/jn.01095.2002 (rhythm, delays and spike generation).
Runtime on 2 cores, after the first compile (half a minute): smoke some seconds, small half a minute, full two minutes.
"""

from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, Quantity, ms, mV, nS, second

BIOPHYSICAL, FITTED, LATER, UNFITTED = KINDS = ("traub_miles", "leaky, fitted", "leaky, longer delays", "leaky, not fitted")
LEAKY = ns.load_cell("leaky_conductance").replace(E_L=-65 * mV)  # capacitance and leak are those of traub_miles anyway
PARAMETERS = {"V_th": (-62 * mV, -45 * mV), "V_reset": (-95 * mV, -55 * mV), "tau_ref": (0.5 * ms, 12 * ms)}
DELAY, DRIVE, SYNAPSES = 1.5 * ms, 1000 * Hz, {"exc": ("g_exc", 64, 1 * nS), "inh": ("g_inh", 16, 20 * nS)}
HELD = 0.1 * ms  # how long a sample of a conductance is held
TAIL = 50 * ms  # in which a network still has to fire
BIN, PRECISION = 5 * ms, 2e-3  # the bins of synchrony; the window of Gamma in seconds
PAIRED, SHOWN = 400, 2  # cells compared with the same cells of another network; cells that a figure shows
MARGINS = {"rate, exc (Hz)": 1.3, "rate, inh (Hz)": 1.3, "CV": 0.1, "chi": None, "Fano": None, "rhythm (Hz)": None, "power there": None}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells, ms of transient, measurement and spectrum, how the cell is fitted, dt in ms."""

    cells: int = 4000
    times: tuple = (300, 2000, 250)
    traced: int = 30
    training: float = 20_000
    search: ns.Search = field(default_factory=lambda: ns.Search(generations=(10, 10, 10, 30)))
    dt: float = 0.05
    halved: bool = True
    target: str = "auto"

    @property
    def backend(self) -> ns.Brian2:
        """The backend at the time step of the plan."""
        return ns.Brian2(dt=self.dt * ms, target=self.target)


PLANS = {
    "full": Plan(),
    "small": Plan(800, training=10_000, search=ns.Search((1,), 16, (5, 5, 5, 15)), halved=False),
    "smoke": Plan(85, (10, 150, 50), 2, 300, ns.Search((1,), 4, (1,), [4] * ms), 0.1, True, "numpy"),
}


def network(cell: ns.CellModel | str, plan: Plan, seed: int, delay: Quantity = DELAY) -> ns.Circuit:
    """Make the network of a seed: the same pairs, weights and first potentials whatever the cell is."""
    start = {"v": ns.Uniform(-75 * mV, -60 * mV)}
    exc = ns.create("exc", cell, plan.cells * 4 // 5, sign="excitatory", state=start, seed=seed)
    inh = ns.create("inh", cell, plan.cells // 5, sign="inhibitory", state=start, seed=seed)
    projections = []
    for source, target in product((exc, inh), repeat=2):
        receptor, degree, weight = SYNAPSES[source.name]
        wiring = ns.FixedInDegree(degree)
        projections.append(ns.connect(source, target, "static", wiring, receptor=receptor, weight=weight, delay=delay, seed=seed))
    return ns.Circuit([exc, inh], projections, seed=seed)


def recorded(circuit: ns.Circuit, plan: Plan, every: Quantity) -> ns.Recording:
    """Drive a network, discard the transient and return what follows; raise RuntimeError where it does not fire to the end."""
    drive = [ns.PoissonInput(name, "g_exc", rate=DRIVE, weight=SYNAPSES["exc"][2], name=f"drive of {name}") for name in SYNAPSES]
    record = [ns.Trace("exc", variable, cells=plan.traced, every=every) for variable in ("v", "g_exc", "g_inh")]
    how = {"inputs": drive, "backend": plan.backend, "progress": False}
    settled, _ = ns.simulate(circuit, plan.times[0] * ms, **how)
    _, recording = ns.simulate(settled, plan.times[1] * ms, record=record, **how)
    if not (recording["exc"].spikes.t > recording.stop - TAIL).any():
        raise RuntimeError(f"the network of {circuit['exc'].model.name!r} fell silent before {recording.stop}; give it more DRIVE")
    return recording


def noise(name: str, moments: dict, duration: Quantity, seed: int) -> ns.Stimulus:
    """Make Ornstein-Uhlenbeck conductances with the means and standard deviations of those in a network."""
    rng, waveforms = np.random.default_rng(seed), {}
    for receptor, tau in (("G_exc", "tau_exc"), ("G_inh", "tau_inh")):
        mean, sd = moments[receptor] * nS
        decay = LEAKY.parameters[tau].value * second
        waveforms[receptor] = ns.waveforms.ornstein_uhlenbeck(mean, sd, decay, duration, HELD, rng, low=0 * nS)
    return ns.Stimulus(name, waveforms)


def fit(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Fit the leaky cell to Traub-Miles spikes under conductances like those in a Traub-Miles network; it is kept in the folder."""
    exc = recorded(network(BIOPHYSICAL, plan, seed), plan, HELD)["exc"]
    progress(1, 3)
    conductances = {"G_exc": exc.g_exc, "G_inh": exc.g_inh}
    moments = {receptor: [float(g.mean() / nS), float(g.std() / nS)] for receptor, g in conductances.items()}
    own = ns.Stimulus("network", {receptor: ns.Waveform(g.flatten(), HELD) for receptor, g in conductances.items()})  # cell after cell
    others = noise("noise", moments, plan.training * ms, 2 * seed), noise("other noise", moments, own.duration, 2 * seed + 1)
    training, *test = ns.respond(BIOPHYSICAL, [*others, own], backend=plan.backend, progress=False)
    progress(2, 3)
    found = ns.fit(LEAKY, [training], PARAMETERS, test=test, search=plan.search, backend=plan.backend, progress=False)
    path = folder / "leaky_fitted.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    found.save(path)
    scores = {one.stimulus: {"Gamma": one.gamma, "share": one.share, "spikes": one.spikes} for one in found.training + found.test}
    return {"conductances (nS)": moments, "shift (ms)": float(found.shift / ms), "scores": scores, "text": str(found)}


def measured(recording: ns.Recording, plan: Plan) -> tuple[dict, dict]:
    """Measure a network; return numbers, and arrays: the spectrum of the excitatory cells, the rate and CV of each."""
    exc, trains = recording["exc"], measures.spike_trains(recording, "exc").values()
    cv = np.array([measures.cv(train) for train in trains])
    counts = measures.binned_counts(recording, "exc", BIN)
    times = exc.spikes.t - recording.start
    frequencies, power = measures.population_spectrum(times, recording.duration, segment=plan.times[2] * ms)
    rhythm = np.where((frequencies > 10 * Hz) & (frequencies < 200 * Hz), power, 0).argmax()
    numbers = {
        "rate, exc (Hz)": exc.rate().mean() / Hz, "rate, inh (Hz)": recording["inh"].rate().mean() / Hz, "CV": np.nanmean(cv),
        "chi": measures.synchrony(counts), "Fano": measures.fano_factor(counts),
        "rhythm (Hz)": frequencies[rhythm] / Hz, "power there": power[rhythm],
        "g_exc (nS)": exc.g_exc.mean() / nS, "g_inh (nS)": exc.g_inh.mean() / nS, "median v (mV)": np.median(exc.v) / mV,
    }  # fmt: skip
    arrays = {"frequency": frequencies, "power": power, "rate": exc.rate(), "CV": cv}
    return {name: float(number) for name, number in numbers.items()}, arrays


def same_spikes(recording: ns.Recording, other: ns.Recording) -> float:
    """Return the mean Gamma of cells, as models of the same cells in another network."""
    gammas, duration = [], float(recording.duration)
    for train, data in zip(*(measures.padded_trains(one, "exc")[:PAIRED] for one in (recording, other)), strict=True):
        data = data[np.isfinite(data)]
        hits = measures.matches(train[None], data, PRECISION)
        gammas.append(measures.coincidence_factor(hits[0], np.isfinite(train).sum(), len(data), duration, PRECISION))
    return float(np.nanmean(gammas))


def networks(kinds: tuple, seed: int, plan: Plan, shift: float, *, folder: Path, progress) -> dict:
    """Simulate networks of one seed, all with the same wiring and drive; draw them, and return what was measured of each."""
    fitted = ns.load_cell(folder.with_name("fit") / "leaky_fitted.toml")
    longer = DELAY + max(round(shift / plan.dt), 0) * plan.dt * ms
    cells = {BIOPHYSICAL: (BIOPHYSICAL, DELAY), FITTED: (fitted, DELAY), LATER: (fitted, longer), UNFITTED: (LEAKY, DELAY)}
    recordings, found, arrays = {}, {}, {}
    for kind in kinds:
        cell, delay = cells[kind]
        recordings[kind] = recorded(network(cell, plan, seed, delay), plan, 4 * plan.dt * ms)
        found[kind], arrays[kind] = measured(recordings[kind], plan)
        found[kind]["spectrum"] = {"frequency (Hz)": list(arrays[kind]["frequency"] / Hz), "power": list(arrays[kind]["power"])}
        if kind != BIOPHYSICAL:
            found[kind]["Gamma, same cell"] = same_spikes(recordings[kind], recordings[BIOPHYSICAL])
        progress(len(found), len(kinds))
    by_cell = {name: {kind: of[name] for kind, of in arrays.items()} for name in ("rate", "CV")}
    figures.save(figures.distributions(by_cell), folder, "distributions")
    figures.save(figures.traces({kind: shown(recordings[kind]) for kind in kinds[:2]}), folder, "traces")
    return found


def shown(recording: ns.Recording) -> tuple:
    """Return the times and the traces of the first cells in the first 400 ms of a recording."""
    exc = recording["exc"]
    part = exc.trace("v").t < recording.start + 400 * ms
    return exc.trace("v").t[part] - recording.start, {name: getattr(exc, name)[:SHOWN, part] for name in ("v", "g_exc", "g_inh")}


def network_biophysical_vs_leaky(run: study.Run) -> tuple[dict, str]:
    """Run the study: the fit, networks of all kinds and seeds, one with half the time step, comparisons, figures."""
    plan, first = PLANS[run.scale], run.seeds[0]
    fitted = run.each(fit, {"fit": (first, plan)})["fit"]
    cases = {f"seed {seed}": (KINDS, seed, plan, fitted["shift (ms)"]) for seed in run.seeds}
    halved = {f"{BIOPHYSICAL}, half the dt": ((BIOPHYSICAL,), first, replace(plan, dt=plan.dt / 2), 0.0)} if plan.halved else {}
    found = run.each(networks, cases | halved)
    by_kind = {kind: [found[case][kind] for case in cases] for kind in KINDS}
    finer = {case: found[case][BIOPHYSICAL] for case in halved}
    spectra = {}
    for kind, several in by_kind.items():
        powers = [one["spectrum"]["power"] for one in several]
        spectra[kind] = several[0]["spectrum"]["frequency (Hz)"] * Hz, np.mean(powers, axis=0)
    figures.save(figures.spectra(spectra, reference=BIOPHYSICAL), run.folder, "spectra")
    rates = {kind: [one["rate, exc (Hz)"] for one in several] for kind, several in by_kind.items()}
    figures.save(figures.comparison(rates, BIOPHYSICAL, MARGINS["rate, exc (Hz)"], "rate, exc (Hz)"), run.folder, "comparison")
    columns = [name for name in by_kind[FITTED][0] if name != "spectrum"]
    parts = [fitted["text"], study.tabulate(f"means, seeds: {len(run.seeds)}", by_kind | finer, columns)]
    parts += [study.compare(by_kind, BIOPHYSICAL, MARGINS)]
    return {"fit": fitted, "networks": by_kind | finer}, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(network_biophysical_vs_leaky, __doc__, seeds=10)
