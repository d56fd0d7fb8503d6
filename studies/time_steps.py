"""How accurate are the spikes of each cell at each time step, and which time step suffices?

Every cell of the catalogue gets a step of current and a noisy current (that mean, half of it as standard deviation, 5 ms), those of its
file's table `time_step`, at time steps from 1 ms down to 2 us. Its spikes are compared with those of its equations, solved adaptively with
each spike looked for between steps. A spike that is an upward crossing is taken from the trace, between samples; one with a reset is taken
in the middle of its time step, as the reset comes on the grid. What counts is the error of the mean interspike interval, the larger of the
two. Advised is the longest time step at which, as at all shorter ones, it is within 1 %. The biophysical cells are stepped with rk4 too.

Expected finding: cells without a reset show the order of their method: 1 for exponential_euler, 4 for rk4. Those with a reset are of order 1
whatever their method is, exact or rk2, as the reset waits for the grid. The exponential steps that are usual for Hodgkin-Huxley cells
are stable at 0.1 ms, but rates are off by 8 to 10 per cent there, and half of the cells win or lose spikes under noise: they need 5 to 20 us,
where rk4 is content with 50 to 100. Lines of leaky, leaky_conductance and leaky_exponential_current, which only current drives, are one.

References: Rotter & Diesmann (1999), doi:10.1007/s004220050570 (exact steps); Shelley & Tao (2001), doi:10.1023/A:1012885314187 and Hansel et al.
(1998), doi:10.1162/089976698300017845 (the order of a method with spikes on the grid); Börgers & Nectow (2013), doi:10.1137/120883657
(exponential steps of Hodgkin-Huxley cells); references of the files.
Runtime on 2 cores, compiling included: smoke some seconds, small 3 minutes, full 6 minutes.
"""

from dataclasses import dataclass

import numpy as np

import neurosim as ns
from neurosim import figures, study
from neurosim.units import Quantity, ms

OTHER = "rk4"  # with which the cells without a reset are stepped too
SHOWN = 0.1 * ms  # a usual time step, whose error is printed
CELLS = tuple(name for name in ns.cells() if not ns.load_cell(name).source)


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells, time steps in ms, whether the other method is tried, the duration (None: as filed)."""

    cells: tuple[str, ...] = CELLS
    steps: tuple[float, ...] = (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002)
    other: bool = True
    duration: Quantity | None = None
    target: str = "library"


PLANS = {
    "full": Plan(),
    "small": Plan(steps=(1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01), other=False),
    "smoke": Plan(("leaky", "izhikevich_2007"), (1, 0.5, 0.1), False, 100 * ms, "numpy"),
}


def measured(name: str, method: str, scale: str, *, folder, progress) -> dict:
    """Measure a cell with a method; return what makes its TimeStepErrors."""
    plan, cell = PLANS[scale], ns.load_cell(name)
    stimuli = ns.step_and_noise(cell.time_step.current, plan.duration or cell.time_step.duration)
    backend = ns.Brian2(target=plan.target)
    found = ns.time_step_errors(cell.replace(method=method), stimuli, plan.steps * ms, backend=backend, progress=False)
    table = {column: found.table[column].tolist() for column in found.table.dtype.names}
    return {"cell": name, "method": method, "rule": found.rule, "table": table, "reference": found.reference, "apart": found.apart}


def errors_of(result: dict) -> ns.TimeStepErrors:
    """Return the errors that a result was made of."""
    return ns.TimeStepErrors(**result | {"table": np.rec.fromarrays(list(result["table"].values()), names=list(result["table"]))})


def line(errors: ns.TimeStepErrors) -> dict:
    """Return a line of the printed table: order, advised time step, errors of the interval at a usual one and at this, all in ms and %."""
    advised, usual = errors.advised, errors.at(SHOWN)["interval"] * 100
    found = {"order": errors.order, f"% at {SHOWN / ms:g} ms": usual if np.isfinite(usual) else np.nan}
    if advised is None:
        return found
    at = errors.at(advised)
    return found | {"advised (ms)": advised / ms, "% there": at["interval"] * 100, "mean shift there (ms)": at["mean"] * 1e3}


def time_steps(run: study.Run) -> tuple[dict, str]:
    """Run the study: each cell with its own method, those without a reset with the other; the figure and the table."""
    plan = PLANS[run.scale]
    models = [ns.load_cell(name) for name in plan.cells]
    cases = {one.name: (one.name, one.method, run.scale) for one in models}
    if plan.other:
        others = [one for one in models if one.spike.rule == "crossing" and one.method != OTHER]
        cases |= {f"{one.name}, {OTHER}": (one.name, OTHER, run.scale) for one in others}
    results = run.each(measured, cases)
    found = {name: errors_of(result) for name, result in results.items()}
    figures.save(figures.time_steps({name: one for name, one in found.items() if name in plan.cells}), run.folder, "time_steps")
    worst = max(one.reference for one in found.values())
    columns = ["order", f"% at {SHOWN / ms:g} ms", "advised (ms)", "% there", "mean shift there (ms)"]
    text = study.tabulate("cell", {name: line(one) for name, one in found.items()}, columns)
    details = "\n\n".join(map(str, found.values()))
    return results, f"{details}\n\n{text}\n\nthe reference's own spikes are within {worst:.1g} s"


if __name__ == "__main__":
    study.conduct(time_steps, __doc__)
