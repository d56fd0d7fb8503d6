"""Say which cells of two populations are joined: wirings are values that make pairs of indices.

`pairs` makes all pairs, `newborn_pairs` those that newborn cells take part in. Both return (pre, post), int64 arrays sorted by pre,
then by post, in time and memory near the number of pairs made (a distance kernel looks at every pair, a block at a time).
"""

import math
import operator
from dataclasses import dataclass, fields

import numpy as np

from neurosim.errors import near
from neurosim.units import Quantity, metre, to_si

_BLOCK = 1_000_000  # pairs looked at in one go by a distance kernel


@dataclass(frozen=True, eq=False)
class Side:
    """Describe one population to a wiring: its size and, where known, its positions in metre, shape (size, 3)."""

    size: int
    position: np.ndarray | None = None

    def __post_init__(self):
        if self.position is not None and np.shape(self.position) != (self.size, 3):
            raise ValueError(f"position has the shape {np.shape(self.position)}, but it needs ({self.size}, 3); give one point per cell")


class Wiring:
    """Share what all wirings have: checks, contacts and a specification."""

    repeatable = True  # whether newborn cells can be wired

    def pairs(self, source, target, same, rng):
        """Return (pre, post) of all pairs between two Sides; `same` says that both are one population."""
        _check_same(source, target, same)
        return self._finish([self._made(source, target, same, (_all(source), _all(target)), rng)])

    def newborn_pairs(self, source, target, same, new_source, new_target, rng):
        """Return (pre, post) of the pairs in which a newborn takes part.

        `new_source` and `new_target` are boolean masks of the newborns, shapes (source.size,) and (target.size,). A wiring that
        names fixed cells raises ValueError.
        """
        _check_same(source, target, same)
        new_source = _mask(new_source, source, "new_source")
        new_target = _mask(new_target, target, "new_target")
        return self._finish(self._newborn_made(source, target, same, (new_source, new_target), rng))

    def specification(self):
        """Return the wiring as a dictionary that JSON can hold, lengths in metre."""
        parameters = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()}
        return {"wiring": type(self).__name__, **plain}

    def _finish(self, made):
        pre = np.concatenate([part[0] for part in made])
        post = np.concatenate([part[1] for part in made])
        width = int(post.max(initial=0)) + 1
        keys = pre * width + post
        if (keys[1:] < keys[:-1]).any():
            pre, post = np.divmod(np.sort(keys), width)
        contacts = getattr(self, "contacts", 1)
        return (pre, post) if contacts == 1 else (np.repeat(pre, contacts), np.repeat(post, contacts))

    def _check_count(self, name, least):
        _check_integer(getattr(self, name), f"{name} of {type(self).__name__}", least)

    def _check_probability(self, name):
        value = getattr(self, name)
        if not _is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} of {type(self).__name__} is {value!r}, but it needs to be a number from 0 to 1; give for example 0.1")


class _Independent(Wiring):
    """Join each pair independently of the others, so that any block of rows and columns can be made on its own."""

    def _made(self, source, target, same, block, rng):
        pre, post = self._block(source, target, block, rng)
        if same and not self.autapses:
            kept = pre != post
            pre, post = pre[kept], post[kept]
        return pre, post

    def _newborn_made(self, source, target, same, new, rng):
        outgoing = self._made(source, target, same, (np.flatnonzero(new[0]), _all(target)), rng)
        incoming = self._made(source, target, same, (np.flatnonzero(~new[0]), np.flatnonzero(new[1])), rng)
        return [outgoing, incoming]


@dataclass(frozen=True)
class AllToAll(_Independent):
    """Join every source cell to every target cell, `contacts` times."""

    autapses: bool = False
    contacts: int = 1

    def __post_init__(self):
        self._check_count("contacts", 1)

    def _block(self, source, target, block, rng):
        rows, columns = block
        return np.repeat(rows, columns.size), np.tile(columns, rows.size)


@dataclass(frozen=True)
class FixedProbability(_Independent):
    """Join each pair with the same probability, independently of the others."""

    probability: float
    autapses: bool = False
    contacts: int = 1

    def __post_init__(self):
        self._check_probability("probability")
        self._check_count("contacts", 1)

    def _block(self, source, target, block, rng):
        rows, columns = block
        places = _successes(rows.size * columns.size, self.probability, rng)
        return rows[places // max(columns.size, 1)], columns[places % max(columns.size, 1)]


@dataclass(frozen=True)
class DistanceKernel(_Independent):
    """Join each pair with a probability that falls with the distance d between the cells.

    `kernel` is "gaussian", peak*exp(-d**2/(2*scale**2)), or "exponential", peak*exp(-d/scale). `scale` is a length.
    """

    kernel: str
    scale: Quantity | None = None
    peak: float = 1.0
    autapses: bool = False
    contacts: int = 1

    def __post_init__(self):
        if self.kernel not in ("gaussian", "exponential"):
            raise ValueError(f"kernel of DistanceKernel is {self.kernel!r}, but it needs to be 'gaussian' or 'exponential'; choose one")
        if self.scale is None:
            raise ValueError("DistanceKernel has no scale; give the length over which its kernel falls, for example scale=100*um")
        if not 0 < self._scale_si < math.inf:
            raise ValueError(f"scale of DistanceKernel is {self.scale!r}, but it needs to be above 0; give for example 100*um")
        self._check_probability("peak")
        self._check_count("contacts", 1)

    @property
    def _scale_si(self):
        return to_si(self.scale, metre, "scale of DistanceKernel")

    def probability(self, distance):
        """Return the probability at `distance`, an array of lengths."""
        return self._probability(np.asarray(to_si(distance, metre, "distance")) ** 2)

    def specification(self):
        """Return the wiring as a dictionary that JSON can hold, lengths in metre."""
        return {**super().specification(), "scale": float(self._scale_si)}

    def _probability(self, squared):
        if self.kernel == "gaussian":
            return self.peak * np.exp(-squared / (2 * self._scale_si**2))
        return self.peak * np.exp(-np.sqrt(squared) / self._scale_si)

    def _block(self, source, target, block, rng):
        for side, name in ((source, "source"), (target, "target")):
            if side.position is None or np.isnan(side.position).any():
                raise ValueError(f"DistanceKernel has no position for some cell of the {name} population; create it with positions=")
        rows, columns = block
        height = max(1, _BLOCK // max(columns.size, 1))
        pre, post = [rows[:0]], [columns[:0]]
        for start in range(0, rows.size, height):
            some = rows[start : start + height]
            squared = np.zeros((some.size, columns.size))
            for axis in range(3):
                squared += np.subtract.outer(source.position[some, axis], target.position[columns, axis]) ** 2
            row, column = np.nonzero(rng.random(squared.shape) < self._probability(squared))
            pre.append(some[row])
            post.append(columns[column])
        return np.concatenate(pre), np.concatenate(post)


@dataclass(frozen=True)
class FixedInDegree(Wiring):
    """Give each target cell `degree` source cells, distinct unless `multapses`; each makes `contacts` synapses."""

    degree: int
    autapses: bool = False
    multapses: bool = False
    contacts: int = 1

    def __post_init__(self):
        self._check_count("degree", 0)
        self._check_count("contacts", 1)

    def _made(self, source, target, same, block, rng):
        columns = block[1]
        excluded = same and not self.autapses
        available = source.size - excluded
        possible = self.degree <= available or (self.multapses and available > 0)
        if columns.size and not possible:
            remedy = "lower it or allow multapses" if available > 0 else "add source cells"
            raise ValueError(f"degree of FixedInDegree is {self.degree}, but only {max(available, 0)} source cells are available; {remedy}")
        post = np.repeat(columns, self.degree)
        if self.multapses:
            pre = rng.integers(max(available, 1), size=post.size)
        else:
            pre = _distinct(columns.size, available, self.degree, rng)
        if excluded:  # numbered without the target cell itself
            pre = pre + (pre >= post)
        return pre, post

    def _newborn_made(self, source, target, same, new, rng):
        return [self._made(source, target, same, (_all(source), np.flatnonzero(new[1])), rng)]


class _Named(Wiring):
    """Join fixed cells; a newborn is none of them."""

    repeatable = False

    def _newborn_made(self, source, target, same, new, rng):
        raise ValueError(
            f"{type(self).__name__} names fixed cells, so it cannot wire a newborn; use newborn='split' or 'copy', or another wiring"
        )


@dataclass(frozen=True)
class OneToOne(_Named):
    """Join the cells of two different populations of one size in order."""

    contacts: int = 1

    def __post_init__(self):
        self._check_count("contacts", 1)

    def _made(self, source, target, same, block, rng):
        if source.size != target.size:
            raise ValueError(
                f"OneToOne joins {source.size} source to {target.size} target cells, but it needs equal sizes; use another wiring"
            )
        if same:
            raise ValueError("OneToOne joins a population to itself, which would make nothing but autapses; name them with Pairs if wanted")
        return block[1], block[1]


@dataclass(frozen=True, eq=False)
class Pairs(_Named):
    """Join the named cells: `pre` and `post` hold one cell id each per synapse; a pair may occur several times.

    The pairs are made in the order of pre, then post; `order` gives the place in `pre` and `post` of each of them, so that values
    given per pair can follow.
    """

    pre: np.ndarray
    post: np.ndarray

    def __post_init__(self):
        for name in ("pre", "post"):
            ids = np.asarray(getattr(self, name))
            if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
                raise TypeError(f"{name} of Pairs is {getattr(self, name)!r}, but it needs to be a list of cell ids; give integers")
            ids = ids.astype(np.int64)
            ids.flags.writeable = False
            object.__setattr__(self, name, ids)
        if self.pre.size != self.post.size:
            raise ValueError(
                f"Pairs has {self.pre.size} pre and {self.post.size} post cells, but it needs as many of both; complete the shorter"
            )

    def __eq__(self, other):
        if not isinstance(other, Pairs):
            return NotImplemented
        return np.array_equal(self.pre, other.pre) and np.array_equal(self.post, other.post)

    def __hash__(self):
        return hash((self.pre.tobytes(), self.post.tobytes()))

    @property
    def order(self):
        """Return the places in `pre` and `post` of the pairs in the order in which they are made; equal pairs keep theirs."""
        return np.lexsort((self.post, self.pre))

    def specification(self):
        """Return the wiring as a dictionary that JSON can hold."""
        return {"wiring": "Pairs", "pre": self.pre.tolist(), "post": self.post.tolist()}

    def _made(self, source, target, same, block, rng):
        for name, ids, size in (("pre", self.pre, source.size), ("post", self.post, target.size)):
            wrong = ids[(ids < 0) | (ids >= size)]
            if wrong.size:
                raise ValueError(
                    f"{name} of Pairs holds the cell {wrong[0]}, but the population has {size} cells; give ids from 0 to {size - 1}"
                )
        return self.pre, self.post


_KINDS = {kind.__name__: kind for kind in (AllToAll, OneToOne, FixedProbability, FixedInDegree, DistanceKernel, Pairs)}


def from_specification(specification):
    """Return the wiring that `specification()` described; an unknown name raises ValueError."""
    parameters = dict(specification)
    name = parameters.pop("wiring", None)
    if name not in _KINDS:
        raise ValueError(f"wiring {name!r} is unknown; use one of {', '.join(_KINDS)}.{near(str(name), _KINDS)}")
    if name == "DistanceKernel":
        parameters["scale"] = parameters["scale"] * metre
    return _KINDS[name](**parameters)


def _successes(trials, probability, rng):
    """Return the places of the successes of independent trials, sorted; the gaps between them are geometric."""
    if trials == 0 or probability == 0:
        return np.zeros(0, dtype=np.int64)
    places = [np.zeros(0, dtype=np.int64)]
    last = -1
    while last < trials - 1:
        expected = (trials - 1 - last) * probability
        number = int(expected + 5 * math.sqrt(expected) + 10)
        # A gap past the end ends the trials, whatever its size: clipped, so that the sum stays in range.
        gaps = np.minimum(rng.geometric(probability, number), trials + 1)
        places.append(last + np.cumsum(gaps))
        last = int(places[-1][-1])
    joined = np.concatenate(places)
    return joined[: np.searchsorted(joined, trials)]


def _distinct(rows, size, number, rng):
    """Return `number` distinct integers below `size` for each row, sorted, rows one after the other.

    Each row takes the first distinct values of a stream of independent draws: every subset is equally likely. Where more than half
    is wanted, those left out are drawn instead, so that at least every second draw is new.
    """
    if number > size / 2:
        kept = np.ones(rows * size, dtype=bool)
        left_out = _distinct(rows, size, size - number, rng)
        kept[np.repeat(np.arange(rows), size - number) * size + left_out] = False
        return np.flatnonzero(kept) % max(size, 1)
    done = [np.zeros(0, dtype=np.int64)]
    pending, keys = np.arange(rows if number else 0), done[0]
    count = np.zeros(rows, dtype=np.int64)
    while pending.size:
        starts = np.repeat(pending * size, number - count[pending])
        keys = np.sort(np.concatenate([keys, starts + rng.integers(size, size=starts.size)]))
        keys = keys[np.diff(keys, prepend=-1) > 0]
        row = keys // size
        count = np.bincount(row, minlength=rows)
        finished = count[row] == number
        done.append(keys[finished])
        keys, pending = keys[~finished], pending[count[pending] < number]
    return np.sort(np.concatenate(done)) % max(size, 1)


def _all(side):
    return np.arange(side.size, dtype=np.int64)


def _is_number(value):
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _check_integer(value, what, least):
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}, but it needs to be an integer; give for example {max(least, 1)}") from None
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{what} is {value!r}, but it needs to be an integer of {least} or more; give for example {max(least, 1)}")


def _check_same(source, target, same):
    if same and source.size != target.size:
        raise ValueError(f"same is True for {source.size} source and {target.size} target cells; give same=False for two populations")


def _mask(mask, side, name):
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (side.size,):
        raise ValueError(
            f"{name} has the type {mask.dtype} and shape {mask.shape}, but it needs to be boolean of shape ({side.size},); give a mask"
        )
    return mask
