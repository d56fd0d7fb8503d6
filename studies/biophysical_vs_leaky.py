"""How much of a biophysical cell does a simplified one keep?

The same noise, current or conductance, goes into a biophysical cell and into simplified ones that were fitted to its spikes. References:
regular-spiking cell of Pospischil (primary: it adapts) and Traub-Miles cell (it does not). Candidates, nested ones in order with warm starts:
leaky, leaky with an adaptive threshold, exponential leaky, AdEx; and Izhikevich's. Each is fitted to two regimes of current and one of
conductance together, and to each alone; scored on noise that it has not seen, in these regimes, in one between the currents and in one
driven by its mean; Gamma (coincidences beyond chance) and share of coincident spikes, at +-1, +-2 and +-4 ms, with intervals over 10 s.

Expected finding: where fluctuations drive the cell (CV of 0.7 and more), AdEx keeps 0.93 and more of Gamma at +-2 ms, 9 to 30 points above
the leaky cell; an adaptation current is what the adapting reference needs, an exponential upstroke the other one. Driven by its mean, a
cell is predicted worse by all. What is fitted to one regime is worth less in another, least between current and conductance.

References: Pospischil et al. (2008), doi:10.1007/s00422-008-0263-8; Brette et al. (2007), doi:10.1007/s10827-007-0038-6 (Traub-Miles);
Brette & Gerstner (2005), doi:10.1152/jn.00686.2005 (AdEx); Kistler, Gerstner & van Hemmen (1997), doi:10.1162/neco.1997.9.5.1015, and
Jolivet, Lewis & Gerstner (2004), doi:10.1152/jn.00190.2004 (Gamma; share of spikes); Hansen & Ostermeier (2001),
doi:10.1162/106365601750190398 (the search). Runtime on 2 cores: smoke half a minute, small 2 minutes, full 25 minutes.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study, waveforms
from neurosim.units import Hz, ms, mV, nS, pA, pF, second

GRID, CORRELATION, EXC, INH = 0.1 * ms, 5 * ms, 3 * ms, 10 * ms  # samples of the noise, and correlation times of current and conductances
FLUCTUATING = 0.7  # CV of intervals from which on a regime counts as driven by fluctuations
# name -> mean and sd of current (pA), or of excitatory and inhibitory conductance (nS); the first three are trained on
REGIMES = {
    "pospischil_rs": {
        "current, sd 800 pA": (150, 800), "current, sd 400 pA": (500, 400), "conductance": (34, 14, 52, 16),
        "unseen, sd 600 pA": (330, 600), "mean-driven, sd 100 pA": (720, 100),
    },
    "traub_miles": {
        "current, sd 300 pA": (-50, 300), "current, sd 150 pA": (-25, 150), "conductance": (8, 4, 34, 9),
        "unseen, sd 220 pA": (-40, 220), "mean-driven, sd 50 pA": (35, 50),
    },
}  # fmt: skip
TRAINED = 3
MEMBRANE = {"C_m": (50 * pF, 600 * pF), "g_L": (3 * nS, 60 * nS), "E_L": (-90 * mV, -50 * mV), "V_reset": (-100 * mV, -40 * mV)}
MEMBRANE |= {"tau_ref": (0 * ms, 20 * ms)}
LEAKY = MEMBRANE | {"V_th": (-70 * mV, -20 * mV)}
EXPONENTIAL = MEMBRANE | {"V_T": (-70 * mV, 0 * mV), "Delta_T": (0.2 * mV, 10 * mV), "V_peak": (-70 * mV, 20 * mV)}
ADAPTATION = {"a": (-10 * nS, 40 * nS), "b": (0 * pA, 600 * pA), "tau_w": (10 * ms, 500 * ms)}
QUADRATIC = {"C_m": (50 * pF, 600 * pF), "k": (0.1 * nS / mV, 10 * nS / mV), "V_rest": (-90 * mV, -50 * mV), "V_T": (-70 * mV, -20 * mV)}
QUADRATIC |= {"V_peak": (-40 * mV, 40 * mV), "V_reset": (-100 * mV, -40 * mV), "a": (0.002 / ms, 0.2 / ms), "b": (-10 * nS, 40 * nS)}
QUADRATIC |= {"d": (0 * pA, 600 * pA), "tau_ref": (0 * ms, 20 * ms)}
# name -> model, bounds, the nested model that is its start
CELLS = {
    "leaky": ("leaky_conductance", LEAKY, None),
    "adaptive threshold": ("leaky_decaying_threshold", LEAKY | {"theta_plus": (0 * mV, 30 * mV), "tau_theta": (5 * ms, 500 * ms)}, "leaky"),
    "exponential leaky": ("exponential_leaky", EXPONENTIAL, "leaky"),
    "AdEx": ("adex", EXPONENTIAL | ADAPTATION, "exponential leaky"),
    "Izhikevich": ("izhikevich_2007", QUADRATIC, None),
}
NESTED = ("leaky", "exponential leaky", "AdEx")  # fitted to each regime alone too


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: seconds of training and test, references, the search, how the reference is integrated."""

    train: float = 20
    test: float = 100
    references: tuple = tuple(REGIMES)
    alone: bool = True
    search: ns.Search = field(default_factory=ns.Search)
    dt: float = 0.025  # ms, of the reference
    method: str = "rk4"  # because the slow currents sum up the errors of a first order
    target: str = "auto"

    @property
    def fine(self) -> ns.Brian2:
        """The backend of biophysical cells."""
        return ns.Brian2(dt=self.dt * ms, target=self.target)

    @property
    def coarse(self) -> ns.Brian2:
        """The backend of simplified cells."""
        return ns.Brian2(dt=GRID, target=self.target)

    def cell(self, reference: str) -> ns.CellModel:
        """A biophysical cell, integrated as the scale asks."""
        return ns.load_cell(reference).replace(method=self.method)


PLANS = {
    "full": Plan(),
    "small": Plan(10, 20, ("pospischil_rs",), False, ns.Search(seeds=(1, 2), generations=(10, 10, 10, 30))),
    "smoke": Plan(0.1, 0.2, ("traub_miles",), False, ns.Search((1,), 4, (1,), [4] * ms), 0.1, "exponential_euler", "numpy"),
}


def stimulus(name: str, regime: tuple, seconds: float, seed: int) -> ns.Stimulus:
    """Make noise of one regime: a current, or an excitatory and an inhibitory conductance."""
    rng, duration = np.random.default_rng(seed), seconds * second
    if len(regime) == 2:
        return ns.Stimulus(name, {"I_e": waveforms.ornstein_uhlenbeck(regime[0] * pA, regime[1] * pA, CORRELATION, duration, GRID, rng)})
    noise = {
        receptor: waveforms.ornstein_uhlenbeck(mean * nS, sd * nS, tau, duration, GRID, rng, low=0 * nS)
        for receptor, mean, sd, tau in (("G_exc", *regime[:2], EXC), ("G_inh", *regime[2:], INH))
    }
    return ns.Stimulus(name, noise)


def answers(reference: str, names, seconds: float, seed: int, plan: Plan, record=()) -> list[ns.Response]:
    """Let a biophysical cell answer noise of some regimes."""
    stimuli = [stimulus(name, REGIMES[reference][name], seconds, 1000 * seed + place) for place, name in enumerate(names)]
    backend = ns.Brian2(dt=plan.dt * ms, target=plan.target)
    return ns.respond(
        ns.load_cell(reference).replace(method=plan.method), stimuli, record=record, every=GRID, backend=backend, progress=False
    )


def fitted(reference: str, regimes: tuple, cells: tuple, seed: int, plan: Plan, folder: Path, progress) -> dict:
    """Fit cells to one reference under some regimes, each from the cell that it contains, and keep them as model files."""
    train, fits, found = answers(reference, regimes, plan.train, 2 * seed + 1, plan), {}, {}
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(cells):
        model, bounds, nested = CELLS[name]
        how = {"search": plan.search, "backend": plan.coarse, "progress": False}
        fits[name] = fit = ns.fit(model, train, bounds, start=fits.get(nested), **how)
        (folder / f"{name}.toml").unlink(missing_ok=True)
        fit.save(folder / f"{name}.toml")
        found[name] = {"shift (ms)": float(fit.shift / ms), "training": float(np.mean([one.gamma for one in fit.training]))}
        found[name] |= {"searches": [one.score for one in fit.searches]}
        progress(place + 1, len(cells))
    return found


def compared(reference: str, fits: dict, seed: int, plan: Plan, folder: Path) -> tuple[dict, str]:
    """Score all fits to one reference on noise that they have not seen, draw the figures, and return the numbers and tables."""
    test, kept, scores = answers(reference, REGIMES[reference], plan.test, 2 * seed + 2, plan), folder / f"{reference}, seed {seed}", {}
    for name, found in fits.items():
        models = {cell: ns.load_cell(folder / "lives" / name / f"{cell}.toml") for cell in found}
        alike = {cell: one.with_spread(CELLS[cell][1]) for cell, one in models.items()}  # as in the fits: on libraries that there are
        scores[name] = {cell: ns.score(one, test, found[cell]["shift (ms)"] * ms, plan.coarse) for cell, one in alike.items()}
        if name == f"{reference}, all, seed {seed}":
            draw(reference, models, scores[name], seed, plan, kept)
            tables = {
                test[place].stimulus.name: {cell: own[place].row() for cell, own in scores[name].items()} for place in range(len(test))
            }
    fitted_to = {name: name.partition(", ")[2].rpartition(", seed")[0] for name in scores}
    matrix = ns.transfer({f"{cell}, {fitted_to[name]}": own[cell] for cell in NESTED for name, own in scores.items() if cell in own})
    figures.save(figures.transfer(matrix), kept, "transfer")
    rates = {
        one.stimulus.name: {"rate (Hz)": float(measures.rate(one.spikes, one.duration) / Hz), "CV": measures.cv(one.spikes)} for one in test
    }
    texts = [study.tabulate(f"{reference}, not seen", rates, ("rate (Hz)", "CV"))]
    for regime, table in tables.items():
        driven = "by fluctuations" if rates[regime]["CV"] >= FLUCTUATING else "near its mean"
        texts.append(study.tabulate(f"{regime} (driven {driven})", table, list(table["leaky"])))
    transfer = {"rows": matrix.rows, "columns": matrix.columns, "Gamma": matrix.gamma.tolist()}
    return {"reference": rates, "not seen": tables, "transfer": transfer, "fits": fits}, "\n\n".join([*texts, str(matrix)])


def draw(reference: str, cells: dict, scores: dict, seed: int, plan: Plan, folder: Path) -> None:
    """Draw Gamma, f-I curves, membrane potentials under the same stretch of noise, and what each cell costs to compute."""
    backends = {reference: plan.fine} | {name: plan.coarse for name in cells}
    everyone = {reference: plan.cell(reference)} | cells
    figures.save(figures.coincidence(scores), folder, "coincidence")
    currents = np.linspace(0, 1500 if reference == "pospischil_rs" else 500, 41) * pA
    curves = {
        name: ns.fi_curve(one, currents, plan.train / 20 * second, plan.train / 40 * second, backend=backends[name])
        for name, one in everyone.items()
    }
    figures.save(figures.fi_curves(curves, reference), folder, "fi_curves")
    regime = list(REGIMES[reference])[1]
    noise = stimulus(regime, REGIMES[reference][regime], min(plan.train, 0.8), 2 * seed + 3)
    answered = {name: ns.respond(one, noise, record=["v"], every=GRID, backend=backends[name]) for name, one in everyone.items()}
    figures.save(figures.responses(answered, reference), folder, "responses")
    costs = {name: ns.computing_time(one, plan.train / 100 * second, 200 * pA, backend=backends[name]) for name, one in everyone.items()}
    figures.save(figures.cell_cost(costs), folder, "cost")


def biophysical_vs_leaky(run: study.Run) -> tuple[dict, str]:
    """Run the study: fits of all cells to all regimes, scores on noise not seen, figures; a seed is a set of noises."""
    plan, results, texts = PLANS[run.scale], {}, []
    for seed in run.seeds:
        cases = {}
        for reference in plan.references:
            trained = tuple(REGIMES[reference])[:TRAINED]
            cases[f"{reference}, all, seed {seed}"] = (reference, trained, tuple(CELLS), seed, plan)
            cases |= {f"{reference}, {one}, seed {seed}": (reference, (one,), NESTED, seed, plan) for one in trained if plan.alone}
            if plan.method == "rk4":  # shown, not assumed: at this time step spikes lie where they belong
                noise = stimulus(trained[0], REGIMES[reference][trained[0]], plan.train, seed)
                found = ns.convergence(plan.cell(reference), noise, 0.05 * ms, dt=2 * plan.dt * ms, backend=plan.fine)
                texts.append(f"{reference}, {trained[0]}: spikes as the time step is halved\n{found}")
        fits = run.each(fitted, cases)
        for reference in plan.references:
            own = {name: found for name, found in fits.items() if name.startswith(reference)}
            results[f"{reference}, seed {seed}"], text = compared(reference, own, seed, plan, run.folder)
            texts.append(text)
    return results, "\n\n".join(texts)


if __name__ == "__main__":
    study.conduct(biophysical_vs_leaky, __doc__)
