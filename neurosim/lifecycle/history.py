"""History: what happened in a life, event by event and epoch by epoch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurosim.circuit import Circuit
from neurosim.errors import near
from neurosim.events import Events
from neurosim.recording import Recording
from neurosim.surgery import Edit

EVENT = [
    ("epoch", "i8"),
    ("time", "f8"),
    ("kind", "U12"),
    ("where", "U32"),
    ("id", "i8"),
    ("parent", "i8"),
    ("pre", "i8"),
    ("post", "i8"),
    ("rule", "U64"),
    ("value", "f8"),
    ("threshold", "f8"),
]
CENSUS = [("epoch", "i8"), ("time", "f8"), ("phase", "U32"), ("name", "U32"), ("size", "i8"), ("births", "i8"), ("deaths", "i8")]
LINEAGE = [("population", "U32"), ("id", "i8"), ("parent", "i8"), ("birth", "i8"), ("death", "i8")]


@dataclass(eq=False, repr=False)
class History:
    """Hold a life: its first and present circuit, every event, and a census of every epoch.

    `events` has one row for each event that was carried out (division, death, link, unlink), `census` one for each part and
    epoch (births and deaths of synapses count copies and losses with their cells too), `lineage` one for each cell that ever
    lived (death -1: alive). `measures` maps names to one value an epoch, `circuits` a phase to the circuit at its end,
    `boundaries` are the proposed events of each epoch, from which `replay` makes the structure again, `dropped` counts
    proposals in conflict by cause, and `lost` spikes in flight on removed synapses by projection.
    """

    start: Circuit
    circuit: Circuit
    census_rows: list[tuple] = field(default_factory=list)
    event_tables: list[np.ndarray] = field(default_factory=list)
    boundaries: list[Events] = field(default_factory=list)
    measures: dict[str, np.ndarray] = field(default_factory=dict)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    interrupted: bool = False

    @classmethod
    def begin(cls, circuit: Circuit, phase: str) -> "History":
        """Begin a history: the census of the first circuit is epoch 0."""
        history = cls(circuit, circuit)
        history._count(circuit, phase, None)
        return history

    def note(self, before: Circuit, after: Circuit, phase: str, proposed: Events, edit: Edit) -> None:
        """Add the boundary of one epoch: the circuits on both sides of it, what was proposed and what was carried out."""
        self.circuit = after
        self.boundaries.append(proposed)
        self.event_tables.append(event_rows(before, after, edit))
        self.dropped.update(edit.dropped)
        self.lost.update(edit.lost)
        self._count(after, phase, edit)

    def measure(self, values: Mapping[str, float]) -> None:
        """Add what was measured before the last boundary; a name measured now and then is NaN in between."""
        done = max([len(series) for series in self.measures.values()], default=len(self.boundaries) - 1)
        for name in {**self.measures, **values}:
            series = self.measures.get(name, np.full(done, np.nan))
            self.measures[name] = np.append(series, values.get(name, np.nan))

    def _count(self, circuit: Circuit, phase: str, edit: Edit | None) -> None:
        for name, part in {**circuit.populations, **circuit.projections}.items():
            change = None if edit is None else {**edit.cells, **edit.synapses}.get(name)
            before = len(part) if change is None else self._last_size(name)
            births = 0 if change is None else len(change.rows) - change.kept
            deaths = 0 if change is None else before - change.kept
            self.census_rows.append((circuit.epoch, circuit.time_si, phase, name, len(part), births, deaths))

    def _last_size(self, name: str) -> int:
        return next(row[4] for row in reversed(self.census_rows) if row[3] == name)

    @property
    def events(self) -> np.ndarray:
        """All events that were carried out, as a structured array."""
        return np.concatenate([np.empty(0, dtype=EVENT), *self.event_tables])

    @property
    def census(self) -> np.ndarray:
        """Sizes, births and deaths of every part in every epoch, as a structured array; epoch 0 is the start."""
        return np.array(self.census_rows, dtype=CENSUS)

    @property
    def lineage(self) -> np.ndarray:
        """Every cell that ever lived, with parent, epoch of birth and epoch of death (-1: alive)."""
        tables = []
        events = self.events
        for name, population in self.start.populations.items():
            own = events[events["where"] == name]
            born, died = own[own["kind"] == "division"], own[own["kind"] == "death"]
            rows = np.zeros(len(population) + len(born), dtype=LINEAGE)
            rows["population"] = name
            rows["id"] = np.concatenate([population.ids, born["id"]])
            rows["parent"] = np.concatenate([population.cells["parent"], born["parent"]])
            rows["birth"] = np.concatenate([population.cells["birth"], born["epoch"]])
            rows["death"] = -1
            order = np.argsort(rows["id"])
            rows["death"][order[np.searchsorted(rows["id"], died["id"], sorter=order)]] = died["epoch"]
            tables.append(rows)
        return np.concatenate([np.empty(0, dtype=LINEAGE), *tables])

    @property
    def phases(self) -> list[tuple[str, int, int]]:
        """The phases lived through: name, first and last epoch."""
        census = self.census[self.census["epoch"] > self.start.epoch]
        found = {}
        for phase, epoch in zip(census["phase"].tolist(), census["epoch"].tolist(), strict=True):
            found[phase] = (found.get(phase, (epoch,))[0], epoch)
        return [(phase, first, last) for phase, (first, last) in found.items()]

    @property
    def recording(self) -> Recording:
        """The recordings of all epochs, joined; raises ValueError if nothing was asked for."""
        if not self.recordings:
            raise ValueError("nothing was recorded over this life; ask for it with develop(..., record=[ns.Spikes(...), ns.Trace(...)])")
        return Recording.concatenate(self.recordings)

    def series(self, name: str) -> np.ndarray:
        """Return the census rows of one population or projection; raise KeyError for another name."""
        census = self.census
        if name not in census["name"]:
            raise KeyError(f"this history has no census of {name!r}.{near(name, dict.fromkeys(census['name'].tolist()))}")
        return census[census["name"] == name]

    def __repr__(self) -> str:
        return f"<History of {len(self.boundaries)} epochs, {len(self.events)} events, now {self.circuit!r}>"

    def __str__(self) -> str:
        notes = [f"dropped: {'; '.join(f'{count} {cause}' for cause, count in self.dropped.items())}"] if self.dropped else []
        notes += ["interrupted: the epoch under way is not part of this history"] if self.interrupted else []
        return "\n".join([self.table(), *notes])

    def table(self, cells: Sequence[str] | None = None, synapses: Sequence[str] | None = None) -> str:
        """Return a table with a line for each phase: epochs, cells and synapses at its end, births and deaths, measures.

        `cells` and `synapses` name the populations and projections that count; None: all but spike sources, and all.
        Births and deaths are of cells. A measure is that of the phase's last epoch.
        """
        if cells is None:
            cells = [name for name, population in self.start.populations.items() if not population.model.source]
        synapses = list(self.start.projections) if synapses is None else synapses
        rows = [["phase", "epochs", "cells", "synapses", "births", "deaths", *self.measures]]
        first_epoch = self.start.epoch + 1
        for phase, first, last in [("start", first_epoch - 1, first_epoch - 1), *self.phases]:
            sums = [self._sum(cells, "size", last, last), self._sum(synapses, "size", last, last)]
            sums += [self._sum(cells, column, first, last) for column in ("births", "deaths")]
            measured = [series[last - first_epoch] if last >= first_epoch else np.nan for series in self.measures.values()]
            epochs = last - first + 1 if last >= first_epoch else 0
            rows.append([phase, str(epochs), *map(str, sums), *("" if np.isnan(value) else f"{value:.3f}" for value in measured)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        ]
        return "\n".join(lines)

    def _sum(self, names: Sequence[str], column: str, first: int, last: int) -> int:
        rows = [series[(series["epoch"] >= first) & (series["epoch"] <= last)] for series in map(self.series, names)]
        return int(sum(part[column].sum() for part in rows))


def event_rows(before: Circuit, after: Circuit, edit: Edit) -> np.ndarray:
    """Return one row for each event that an edit carried out, deaths first, then divisions, unlinks and links."""
    settled = edit.settled
    tables = []
    for name in before.populations:
        tables.append(_rows(before, after, "death", name, settled.deaths[name], id=settled.dead[name]))
        table = settled.divisions[name]
        tables.append(_rows(before, after, "division", name, table, id=settled.daughters[name], parent=table["mother"]))
    for name, projection in before.projections.items():
        table = settled.unlinked[name]
        old = projection.rows(table["synapse"])
        ends = {end: projection.synapses[end][old] for end in ("pre", "post")}
        tables.append(_rows(before, after, "unlink", name, table, id=table["synapse"], parent=projection.synapses["parent"][old], **ends))
        table = settled.links[name]
        # Links come first among the synapses that descend from none; those of the wiring follow.
        fresh = np.flatnonzero(edit.synapses[name].rows < 0)[: len(table)] if name in edit.synapses else []
        ids = after.projections[name].ids[fresh]
        tables.append(_rows(before, after, "link", name, table, id=ids, pre=table["pre"], post=table["post"]))
    return np.concatenate([np.empty(0, dtype=EVENT), *tables])


def _rows(before, after, kind, name, table, *, id, parent=-1, pre=-1, post=-1) -> np.ndarray:
    rows = np.zeros(len(table), dtype=EVENT)
    rows["epoch"], rows["time"], rows["kind"], rows["where"] = after.epoch, before.time_si, kind, name
    rows["id"], rows["parent"], rows["pre"], rows["post"] = id, parent, pre, post
    for column in ("rule", "value", "threshold"):
        rows[column] = table[column]
    return rows
