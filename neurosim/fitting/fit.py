"""Fit a cell to the spikes of another one, or of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from neurosim.backends.brian2 import Brian2
from neurosim.errors import Interrupted, near
from neurosim.fitting.objective import assess
from neurosim.fitting.problem import Problem
from neurosim.fitting.scores import Score, check_responses, score
from neurosim.fitting.search import Found, Search, Space, search
from neurosim.models import CellModel
from neurosim.models.saving import save_model
from neurosim.responses import Response, as_cell
from neurosim.units import Quantity, ms, quantity, second, to_si, unit_name


@dataclass(frozen=True, repr=False)
class Fitted:
    """Hold a fitted cell, the constant by which its spikes are shifted, its scores in training and on data it has not seen, and the searches.

    `parameters` are those that were fitted. The receptors of `cell` have no unitary strength: it was that of other parameters.
    """

    cell: CellModel
    parameters: Mapping[str, Quantity]
    shift: Quantity
    training: list[Score]
    test: list[Score]
    searches: list[Found]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in self.parameters.items())
        seeds = ", ".join(f"{one.score:.3f} (seed {one.seed})" for one in self.searches)
        lines = [f"{self.cell.name}: {values}; spikes shifted by {self.shift / ms:+.2f} ms", f"  searches: {seeds}"]
        lines += [f"  training, {one}" for one in self.training]
        return "\n".join(lines + [f"  not seen, {one}" for one in self.test])

    def __repr__(self) -> str:
        return f"<Fitted {self.cell.name!r}: {', '.join(self.parameters)}>"

    def save(self, path: str | Path) -> None:
        """Write the cell as a model file, to be loaded with `load_cell(path)`; raises FileExistsError for a file that is there."""
        save_model(self.cell, path)


def fit(
    cell: CellModel | str,
    to: Sequence[Response],
    parameters: Mapping[str, tuple[Quantity, Quantity]],
    *,
    test: Sequence[Response] = (),
    start: Fitted | Mapping[str, Quantity] | None = None,
    search: Search | None = None,
    backend=None,
    progress: bool = True,
) -> Fitted:
    """Fit parameters of a cell, each between two bounds, to the spikes of responses; the cell gets the stimuli that made them.

    The score is the mean of the coincidence factor over responses, at one constant shift in time for all. `start` is a fit of a model
    that the cell contains, as its file says, or a mapping of parameters: a candidate of its own, so that the result is no worse in
    training. All candidates of a generation run as one population; the same seeds give the same result. `test` are responses to
    score on that the search never sees. Raises ValueError or TypeError for bad bounds, an unknown parameter, a start out of bounds,
    and responses without spikes, and as `simulate` does; Interrupted at Ctrl-C carries in `fitted` the best cell so far.
    """
    cell, plan, backend = as_cell(cell), search or Search(), backend or Brian2()
    check_responses(to, "responses to be fitted")
    if len(test):
        check_responses(test, "responses to be tested on")
    bounds = {name: _bounds(cell, name, pair) for name, pair in _mapping(parameters).items()}
    cell, first = _started(cell, start, bounds)
    problems = [Problem(cell, list(bounds), some, backend) for some in (to, test) if len(some)]
    for problem in problems:
        problem.check()
    return _Task(cell, problems[0], Space(bounds), to, test, backend).run(first, plan, progress)


@dataclass(frozen=True)
class _Task:
    cell: CellModel
    problem: Problem
    space: Space
    to: Sequence[Response]
    test: Sequence[Response]
    backend: object

    def run(self, first: np.ndarray | None, plan: Search, progress: bool) -> Fitted:
        """Search, and return what was found; raises as `fit` does."""
        latest: list[Found] = []
        name = f"fit {self.cell.name}"
        with tqdm(total=sum(plan.generations), desc=name, delay=2, leave=False, disable=not progress, unit="generation") as bar:

            def tick(found: list[Found]) -> None:
                """Keep what there is after a generation, and show it."""
                latest[:] = found
                bar.set_postfix_str(f"score {max(one.score for one in found):.3f}", refresh=False)
                bar.update()

            try:
                return self.finished(search(self.problem, self.space, first, plan, tick), plan)
            except KeyboardInterrupt:  # of a simulation, or between two
                done = len(latest[0].course) if latest else 0
        kept = ".fitted holds the best cell so far" if latest else "before there was a candidate"
        stopped = Interrupted(f"the fit of {self.cell.name!r} was interrupted after {done} of {sum(plan.generations)} generations; {kept}")
        stopped.fitted = self.finished(latest, plan) if latest else None
        raise stopped

    def finished(self, found: list[Found], plan: Search) -> Fitted:
        """Make a fitted cell of the best that the searches have found, and score it."""
        best = max(found, key=lambda one: one.score)
        values = self.space.values(best.point[None])
        last = assess(self.problem, values, plan.stages[-1][0], 0.0)
        chosen = {name: quantity(float(value[0]), self.cell.parameters[name].dimensions) for name, value in values.items()}
        cell, shift = _fitted_cell(self.cell, chosen, self.to), quantity(float(last.shift[0]), second.dim)
        alike = cell.with_spread(values)  # what the candidates were, so that nothing has to be compiled anew
        training, test = (score(alike, some, shift, self.backend, progress=False) if len(some) else [] for some in (self.to, self.test))
        return Fitted(cell, chosen, shift, training, test, found)


def _short(value: Quantity | float) -> str:
    return value.in_best_unit(4) if isinstance(value, Quantity) else f"{value:.4g}"


def _mapping(parameters) -> Mapping:
    if not isinstance(parameters, Mapping) or not parameters:
        raise ValueError(f'parameters of a fit are {parameters!r}; give bounds for at least one, such as {{"V_th": (-60*mV, -40*mV)}}')
    return parameters


def _bounds(cell: CellModel, name: str, pair) -> tuple[float, float]:
    if name not in cell.parameters:
        raise ValueError(f"cell model {cell.name!r} has no parameter {name!r} to be fitted.{near(name, cell.parameters)}")
    what = f"the bounds of {name!r}"
    if not isinstance(pair, (tuple, list, Quantity)) or np.shape(pair) != (2,):
        raise ValueError(f"{what} are {pair!r}; give two values, (low, high)")
    low, high = (to_si(end, cell.parameters[name].dimensions, what) for end in pair)
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"{what} are {pair[0]} and {pair[1]}; give finite values, the lower one first")
    return low, high


def _started(cell: CellModel, start, bounds: Mapping[str, tuple[float, float]]) -> tuple[CellModel, np.ndarray | None]:
    """The cell with what the start says of parameters that are not fitted, and the start as a point."""
    if start is None:
        return cell, None
    if not isinstance(start, (Fitted, Mapping)):
        raise TypeError(f"start of a fit is {start!r}; give what ns.fit returned, or a mapping of parameters")
    known = cell.embedding(start.cell) if isinstance(start, Fitted) else start
    cell = cell.replace(**known)
    space = Space(bounds)
    values = {name: cell.parameters[name].value for name in bounds}
    for name, (low, high) in bounds.items():
        if not low <= values[name] <= high:
            at, ends = (quantity(number, cell.parameters[name].dimensions) for number in (values[name], np.array([low, high])))
            raise ValueError(f"the fit of {cell.name!r} starts at {name} = {at}, outside of its bounds {ends[0]} and {ends[1]}; widen them")
    return cell, space.point(values)


def _fitted_cell(cell: CellModel, chosen: Mapping[str, Quantity], to: Sequence[Response]) -> CellModel:
    names = " and ".join(dict.fromkeys(repr(one.cell) for one in to))
    source = f"fitted to the spikes of {names} under {', '.join(one.stimulus.name for one in to)}"
    tables = {key: value for key, value in cell.specification().items() if key not in ("expected", "sets", "time_step")}
    for name, value in chosen.items():
        dimensions = cell.parameters[name].dimensions
        tables["parameters"][name] |= {"value": f"{float(value)!r}*{unit_name(dimensions)}", "source": source}
    for receptor in tables["receptors"].values():
        receptor.pop("unitary", None)
    return CellModel.from_specification({**tables, "summary": f"{cell.summary.rstrip('.')}, fitted to {names}."})
