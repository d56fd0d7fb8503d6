"""Events: what rules propose at a boundary, as tables of columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurosim.circuit import LONGEST
from neurosim.units import DIMENSIONLESS, Dimension, get_dimensions, metre, second, to_si, unit_name

CAUSE = [("value", "f8"), ("threshold", "f8"), ("rule", f"U{LONGEST}")]
COLUMNS = {
    "death": [("cell", "i8"), *CAUSE],
    "handover": [("cell", "i8"), ("heir", "i8"), ("part", "f8"), *CAUSE],
    "fade": [("cell", "i8"), ("level", "f8"), *CAUSE],
    "division": [("mother", "i8"), ("key", "i8"), ("low", "f8"), ("high", "f8"), ("jitter", "f8"), *CAUSE],
    "birth": [
        ("key", "i8"), ("origin", f"U{LONGEST}"), ("progenitor", "i8"), ("x", "f8"), ("y", "f8"), ("z", "f8"), ("strength", "f8"), *CAUSE
    ],
    "unlink": [("synapse", "i8"), *CAUSE],
    "link": [("pre", "i8"), ("post", "i8"), ("weight", "f8"), ("delay", "f8"), *CAUSE],
}  # fmt: skip
OF_CELLS = ("death", "handover", "fade", "division", "birth")


@dataclass(frozen=True, eq=False)
class Events:
    """Hold proposed deaths, hand-overs, fadings, divisions, births, unlinks and links: a structured array for each kind and each name.

    Made by ``Events.kill``, ``.hand_over``, ``.fade``, ``.divide``, ``.bear``, ``.unlink`` and ``.link`` and joined by ``+``. Every row carries the value that
    caused it and the threshold it was held against (NaN where there was none), and the label of its rule. `dimensions` are those of weights that
    were given as quantities, by projection; `floors` say how many cells of a population each rule leaves at least. Cells and synapses are ids: whole numbers; a mask raises TypeError.
    """

    tables: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)
    dimensions: frozenset[tuple[str, Dimension]] = frozenset()
    floors: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by population and rule

    @classmethod
    def kill(cls, population: str, cells, *, floor: int = 0, value=np.nan, threshold=np.nan) -> "Events":
        """Propose the death of cells (ids) of one population, the first ones first, as long as `floor` of its cells are left, whoever else kills."""
        made = cls._one("death", population, cell=cells, value=value, threshold=threshold)
        return cls(made.tables, floors={(population, ""): floor}) if len(made) and floor else made

    @classmethod
    def hand_over(cls, population: str, cells, heirs, part=1.0, *, value=np.nan, threshold=np.nan) -> "Events":
        """Propose that cells (ids) which die at this boundary hand their outgoing synapses over to heirs (ids) of their population.

        An heir gets this part of each, as it was before the cell began to fade: added to its own synapse onto the same cell, or else, and
        where spikes are under way, as a copy of it. With parts that sum to 1 every target goes on receiving what it received, but for an
        heir that was itself a target and has no autapse. Raises ValueError for a part outside [0, 1].
        """
        _check_within(part, "part of what is handed over", population)
        return cls._one("handover", population, cell=cells, heir=heirs, part=part, value=value, threshold=threshold)

    @classmethod
    def fade(cls, population: str, cells, level, *, value=np.nan, threshold=np.nan) -> "Events":
        """Propose that cells (ids) have an output of this level from now on, a part from 0 to 1 of what it is in full; 1 is rescue.

        The population needs the ledger "fading", see Circuit.with_ledgers. Raises ValueError for a level that is not above 0 and at most 1.
        """
        _check_within(level, "level of fading cells", population)
        if not (np.asarray(level) > 0).all():
            raise ValueError(f"level of fading cells in {population!r} is {level!r}; give a number above 0, or let the cells die")
        return cls._one("fade", population, cell=cells, level=level, value=value, threshold=threshold)

    @classmethod
    def bear(
        cls, population: str, positions, *, rng, origin: str = "", progenitors=-1, strength: float = 1.0, value=np.nan, threshold=np.nan
    ) -> "Events":
        """Propose the birth of cells that have no mother in their population, and begin in the first state of its model.

        `positions` is a quantity of shape (n, 3), or how many cells are born (without positions). `origin` and `progenitors` tell
        from which population and cells (ids) they differentiate. They have no synapses but those with which projections of
        newborn="wire" wire them, whose weights are drawn with the help of `rng` and multiplied by `strength`. Raises ValueError for
        a negative strength or a wrong shape, TypeError for a wrong dimension.
        """
        if not (np.asarray(strength) >= 0).all():
            raise ValueError(f"strength of births in {population!r} is {strength!r}; give 0 or more")
        if isinstance(positions, (int, np.integer)):
            if positions < 0:
                raise ValueError(f"{positions} cells are to be born in {population!r}; give 0 or more")
            places = np.full((positions, 3), np.nan)
        else:
            places = np.asarray(to_si(positions, metre, f"positions of births in {population!r}"), dtype=float)
        if places.ndim != 2 or places.shape[1] != 3:
            raise ValueError(f"positions of births in {population!r} have shape {places.shape}; give (n, 3)")
        key = rng.integers(0, 2**63 - 1, size=len(places))
        place = dict(zip("xyz", places.T, strict=True))
        cause = {"value": value, "threshold": threshold}
        return cls._one("birth", population, key=key, origin=origin, progenitor=progenitors, **place, strength=strength, **cause)

    @classmethod
    def divide(cls, population: str, mothers, *, rng, share=(0.25, 0.75), jitter: float = 0.0, value=np.nan, threshold=np.nan) -> "Events":
        """Propose the division of cells (ids) of one population.

        Of each outgoing synapse the mother keeps a share drawn uniformly from `share` (low, high), or exactly `share` if
        that is one number; the daughter gets the rest. `jitter` is the standard deviation of the logarithm of a factor on
        the incoming plastic weights of both twins: the breaking of their symmetry. `rng` gives each division a key from
        which these draws follow, so that replaying the event repeats them. Raises ValueError for a share outside [0, 1]
        or a negative jitter.
        """
        low, high = np.broadcast_to(np.asarray(share, dtype=float), 2) if np.shape(share) in ((), (1,), (2,)) else (1.0, 0.0)
        if not 0 <= low <= high <= 1:
            raise ValueError(f"share of a division is {share!r}; give a number in [0, 1] or an interval (low, high) inside it")
        if not 0 <= jitter < np.inf:
            raise ValueError(f"jitter of a division is {jitter!r}; give a finite number, 0 or more")
        mothers = np.atleast_1d(np.asarray(mothers))
        key = rng.integers(0, 2**63 - 1, size=len(mothers))
        return cls._one(
            "division", population, mother=mothers, key=key, low=low, high=high, jitter=jitter, value=value, threshold=threshold
        )

    @classmethod
    def unlink(cls, projection: str, synapses, *, value=np.nan, threshold=np.nan) -> "Events":
        """Propose the removal of synapses (ids) of one projection; copies that a division makes of them go too."""
        return cls._one("unlink", projection, synapse=synapses, value=value, threshold=threshold)

    @classmethod
    def link(cls, projection: str, pre, post, weight, delay, *, value=np.nan, threshold=np.nan) -> "Events":
        """Propose new synapses between cells (ids), with weights and delays (quantities, or SI numbers).

        Raises TypeError for a delay that is no time and, once the projection is known, for weights of another dimension than its own.
        """
        if get_dimensions(delay) is not DIMENSIONLESS:
            delay = to_si(delay, second, f"delay of links of {projection!r}")
        made = cls._one("link", projection, pre=pre, post=post, weight=weight, delay=delay, value=value, threshold=threshold)
        dimensions = get_dimensions(weight)
        return cls(made.tables, frozenset({(projection, dimensions)})) if len(made) and dimensions is not DIMENSIONLESS else made

    @classmethod
    def _one(cls, kind, name, **columns) -> "Events":
        arrays = [np.atleast_1d(np.asarray(values)) for values in columns.values()]
        size = next(iter(arrays)).size
        rows = np.zeros(size, dtype=COLUMNS[kind])
        for key, values in zip(columns, arrays, strict=True):
            if values.size not in (1, size):
                raise ValueError(
                    f"{kind} events for {name!r} have {size} rows but {values.size} values of {key}; give one each, or one for all"
                )
            if values.size and rows.dtype[key].kind == "i" and values.dtype.kind not in "iu":
                raise TypeError(
                    f"{key} of {kind} events for {name!r} is of the type {values.dtype}; give ids, which are whole numbers, such as .ids[mask]"
                )
            rows[key] = values
        return cls({(kind, name): rows} if size else {})

    def __add__(self, other: "Events") -> "Events":
        joined = dict(self.tables)
        for key, rows in other.tables.items():
            joined[key] = np.concatenate([joined[key], rows]) if key in joined else rows
        return Events(joined, self.dimensions | other.dimensions, {**self.floors, **other.floors})

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.tables.values())

    def __repr__(self) -> str:
        parts = [f"{len(rows)} {kind} in {name!r}" for (kind, name), rows in self.tables.items()]
        return f"<Events: {', '.join(parts) or 'none'}>"

    def of(self, kind: str, name: str) -> np.ndarray:
        """Return the rows of one kind for one population or projection; empty if there are none."""
        return self.tables.get((kind, name), np.zeros(0, dtype=COLUMNS[kind]))

    def labelled(self, rule: str) -> "Events":
        """Return the events with the label of the rule that proposed them; "outer/inner" for those of a rule within that rule."""
        tables = {}
        for key, rows in self.tables.items():
            rows = rows.copy()
            inner = rows["rule"] != ""
            for label in np.unique(rows["rule"][inner]):
                rows["rule"][rows["rule"] == label] = f"{rule}/{label}"
            rows["rule"][~inner] = rule
            tables[key] = rows
        floors = {(name, f"{rule}/{label}" if label else rule): floor for (name, label), floor in self.floors.items()}
        return Events(tables, self.dimensions, floors)

    def check(self, circuit) -> None:
        """Raise KeyError for events that name a population or projection that the circuit lacks, TypeError for weights of another dimension."""
        for kind, name in self.tables:
            known = circuit.populations if kind in OF_CELLS else circuit.projections
            if name not in known:
                raise KeyError(f"{kind} events name {name!r}, but this circuit knows only {', '.join(known) or 'none'}")
        for name, dimensions in self.dimensions:
            wanted = circuit.projections[name].receptor.dimensions
            if dimensions is not wanted:
                raise TypeError(f"links of {name!r} have weights in {unit_name(dimensions)}, but its receptor takes {unit_name(wanted)}")


def _check_within(part, what: str, population: str) -> None:
    part = np.asarray(part)
    if not ((part >= 0) & (part <= 1)).all():
        raise ValueError(f"{what} in {population!r} is {part[~((part >= 0) & (part <= 1))].flat[0]}; give a number from 0 to 1")
