"""How well a cell predicts the spikes of responses that it has or has not seen, and what a fit to one regime is worth in another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from neurosim.measures.coincidence import PRECISIONS, Coincidence, compared
from neurosim.measures.trains import spike_times
from neurosim.models import CellModel
from neurosim.responses import Response, as_cell, respond
from neurosim.units import Hz, Quantity, ms, second, to_si

BLOCK = 10.0  # seconds: intervals are over the Gamma of blocks of this length
PRECISION = 2e-3  # seconds: the window of the Gamma that is quoted where one number is
ENOUGH = 500  # spikes of the data, from which on a score is not called uncertain


@dataclass(frozen=True)
class Score:
    """Hold how well a cell predicts one response: coincidences at +-1, +-2 and +-4 ms, and Gamma at +-2 ms block by block.

    `low` and `high` are the 95 % interval (Student's t) of the mean over whole blocks of 10 s, NaN with fewer than two of them.
    """

    stimulus: str
    coincidences: tuple[Coincidence, ...]
    blocks: np.ndarray
    low: float
    high: float

    @property
    def middle(self) -> Coincidence:
        """The coincidence at +-2 ms."""
        return next(one for one in self.coincidences if np.isclose(float(one.precision), PRECISION))

    @property
    def gamma(self) -> float:
        """Gamma at +-2 ms."""
        return self.middle.gamma

    @property
    def share(self) -> float:
        """The share of the data's spikes that are hit at +-2 ms, which is not corrected for chance."""
        return self.middle.share

    @property
    def spikes(self) -> int:
        """How many spikes there were to be predicted."""
        return self.middle.hits + self.middle.misses

    def row(self) -> dict[str, float]:
        """Return the score as plain numbers, for a table."""
        windows = {f"Gamma {one.precision / ms:g} ms": one.gamma for one in self.coincidences}
        rates = {"model (Hz)": float(self.middle.model_rate / Hz), "data (Hz)": float(self.middle.data_rate / Hz)}
        return windows | {"low": self.low, "high": self.high, "share": self.share, "spikes": self.spikes} | rates

    def __str__(self) -> str:
        one = self.middle
        gammas = ", ".join(f"{each.gamma:.3f} at +-{each.precision / ms:g} ms" for each in self.coincidences)
        interval = "" if np.isnan(self.low) else f"; +-2 ms in blocks of {BLOCK:g} s: {self.low:.3f} to {self.high:.3f}"
        few = "" if self.spikes >= ENOUGH else f"; uncertain, {self.spikes} of {ENOUGH} spikes"
        return (
            f"{self.stimulus}: Gamma {gammas}{interval} ({one.hits} hits, {one.misses} misses, {one.extras} extras; "
            f"model {one.model_rate / Hz:.1f} Hz, data {one.data_rate / Hz:.1f} Hz){few}"
        )


@dataclass(frozen=True)
class Transfer:
    """Hold what fits are worth elsewhere: `gamma` and `share` at +-2 ms, a row for each fit and a column for each response."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    gamma: np.ndarray
    share: np.ndarray

    def __str__(self) -> str:
        width = max(len(name) for name in (*self.rows, "Gamma, fitted to"))
        head = " ".join([f"{'Gamma, fitted to':<{width}}", *(f"{name:>{max(len(name), 6)}}" for name in self.columns)])
        lines = [
            " ".join(
                [f"{name:<{width}}", *(f"{value:>{max(len(column), 6)}.2f}" for column, value in zip(self.columns, values, strict=True))]
            )
            for name, values in zip(self.rows, self.gamma, strict=True)
        ]
        return "\n".join([head, *lines])


def score(
    cell: CellModel | str, responses: Sequence[Response], shift: Quantity = 0 * ms, backend=None, progress: bool = True
) -> list[Score]:
    """Predict the spikes of responses with a cell, all of whose spikes are shifted by a constant, and score each.

    Spikes that are shifted out of the stimulus are left out. Raises as `respond` does, and ValueError for a response without spikes,
    or with unsorted ones, and a shift that is not one finite time.
    """
    later = to_si(shift, second, "shift of the spikes")
    if np.ndim(later) or not np.isfinite(later):
        raise ValueError(f"shift of the spikes is {shift}; give one finite time for all, such as 0.5*ms")
    check_responses(responses, "responses to be scored")
    predicted = respond(as_cell(cell), [one.stimulus for one in responses], backend=backend, progress=progress)
    return [_score(np.asarray(model.spikes) + later, one) for model, one in zip(predicted, responses, strict=True)]


def check_responses(responses: Sequence[Response], what: str) -> None:
    """Raise TypeError for what is no list of responses and ValueError for an empty one or a response without, or with unsorted, spikes."""
    if isinstance(responses, Response) or not all(isinstance(one, Response) for one in responses):
        raise TypeError(f"{what} are {responses!r}; give a list of ns.Response, such as ns.respond(cell, [stimulus]) returns")
    if not len(responses):
        raise ValueError(f"there are no {what}; give at least one")
    for one in responses:
        if not len(spike_times(one.spikes, repr(one), stop=float(one.duration))):
            raise ValueError(f"{one!r} is among {what}, but has no spikes to be met; take a stronger stimulus")


def _score(model: np.ndarray, response: Response) -> Score:
    duration, data = float(response.duration), np.asarray(response.spikes, dtype=float)
    model = model[(model >= 0) & (model < duration)]
    whole = [compared(model, data, duration, float(precision)) for precision in PRECISIONS]
    edges = BLOCK * np.arange(int(duration / BLOCK * (1 + 1e-9)) + 1)
    blocks = np.array(
        [
            compared(_within(model, begin, end), _within(data, begin, end), BLOCK, PRECISION).gamma
            for begin, end in zip(edges, edges[1:], strict=False)
        ]
    )
    said = blocks[~np.isnan(blocks)]  # where neither spikes there is nothing to be said
    half = stdtrit(len(said) - 1, 0.975) * said.std(ddof=1) / np.sqrt(len(said)) if len(said) > 1 else np.nan
    centre = said.mean() if len(said) else np.nan
    return Score(response.stimulus.name, tuple(whole), blocks, float(centre - half), float(centre + half))


def _within(times: np.ndarray, begin: float, end: float) -> np.ndarray:
    return times[(times >= begin) & (times < end)] - begin


def transfer(scores: Mapping[str, Sequence[Score]]) -> Transfer:
    """Set out what fits are worth elsewhere: a row for each name with its scores, a column for each response that was scored.

    Raises ValueError for no scores, or rows that are not of the same stimuli in the same order.
    """
    if not scores:
        raise ValueError("there are no scores for a transfer matrix; give at least one row")
    columns = [tuple(one.stimulus for one in row) for row in scores.values()]
    for name, found in zip(scores, columns, strict=True):
        if found != columns[0]:
            raise ValueError(
                f"row {name!r} of a transfer matrix has scores of {', '.join(found)}, the first of {', '.join(columns[0])}; score all on the same"
            )
    gamma, share = (np.array([[getattr(one, name) for one in row] for row in scores.values()]) for name in ("gamma", "share"))
    return Transfer(tuple(scores), columns[0], gamma, share)
