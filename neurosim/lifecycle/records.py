"""What one epoch leaves behind: events, census, activity, connectivity, and which synapses came and went."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.recfunctions import repack_fields

from neurosim.circuit import LONGEST, Circuit
from neurosim.events import CAUSE, COLUMNS, Events
from neurosim.recording import PartRecording, Recording
from neurosim.surgery import Edit

KINDS = ("death", "division", "unlink", "link")
WHO = [("id", "i8"), ("parent", "i8"), ("pre", "i8"), ("post", "i8")]
WHY = [("value", "f8"), ("threshold", "f8")]
NAME = f"U{LONGEST}"
EVENT = [("epoch", "i8"), ("time", "f8"), ("kind", "U12"), ("where", NAME), *WHO, ("rule", NAME), *WHY]
PACKED = [("kind", "i1"), ("where", "i2"), *WHO, ("rule", "i2"), *WHY]  # an event as it is kept: 53 bytes where EVENT has 624
HEAD = [("epoch", "i8"), ("time", "f8"), ("phase", NAME), ("name", NAME)]
CENSUS = [*HEAD, ("size", "i8"), ("births", "i8"), ("deaths", "i8")]
ACTIVITY = [*HEAD, ("cells", "i8"), ("spikes", "i8"), ("rate", "f8"), ("silent", "f8"), ("cv", "f8")]
DEGREES = [(f"{end}_{what}", kind) for end in ("in", "out") for what, kind in (("mean", "f8"), ("sd", "f8"), ("max", "i8"))]
CONNECTIVITY = [*HEAD, ("synapses", "i8"), *DEGREES, ("turnover", "f8"), ("events", "i8")]
CELL = [("id", "i8"), ("parent", "i8"), ("birth", "i8")]
CAUSES = [column for column, _ in CAUSE]


@dataclass(frozen=True, eq=False)
class Epoch:
    """Hold what one epoch left behind, up to and including its boundary; the first of a history describes its start.

    `events` are packed (see PACKED), with the names of parts and rules in `parts` and `rules`; `orders` are the events as
    they were carried out, without their causes, by (kind, part); `cells` are the cells there at the start, by population,
    and `sources` the populations that are spike sources; `born` are the new synapses (all of them at the start) and `gone` the ids of the removed, by projection.
    """

    number: int
    time: float
    phase: str
    census: np.ndarray
    connectivity: np.ndarray
    activity: np.ndarray = field(default_factory=lambda: np.empty(0, ACTIVITY))
    events: np.ndarray = field(default_factory=lambda: np.empty(0, PACKED))
    parts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    orders: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    cells: Mapping[str, np.ndarray] = field(default_factory=dict)
    born: Mapping[str, np.ndarray] = field(default_factory=dict)
    gone: Mapping[str, np.ndarray] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=Counter)
    lost: Mapping[str, int] = field(default_factory=Counter)

    def event_rows(self) -> np.ndarray:
        """Return the events as rows of EVENT."""
        rows = np.zeros(len(self.events), EVENT)
        rows["epoch"], rows["time"] = self.number, self.time
        for column, names in (("kind", KINDS), ("where", self.parts), ("rule", self.rules)):
            rows[column] = np.array([*names, ""])[self.events[column]]
        for column, _ in (*WHO, *WHY):
            rows[column] = self.events[column]
        return rows

    def boundary(self) -> Events:
        """Return the events of the boundary as they were carried out, without their causes, for `replay`."""
        tables = {}
        for (kind, name), bare in self.orders.items():
            tables[kind, name] = rows = np.zeros(len(bare), COLUMNS[kind])
            for column in bare.dtype.names:
                rows[column] = bare[column]
            rows["value"] = rows["threshold"] = np.nan
        return Events(tables)


def first_epoch(circuit: Circuit, phase: str) -> Epoch:
    """Describe a circuit at the start of a life as the record of an epoch."""
    cells = {}
    for name, population in circuit.populations.items():
        cells[name] = rows = np.zeros(len(population), CELL)
        for column in ("id", "parent", "birth"):
            rows[column] = population.cells[column]
    born = {name: _who(projection, slice(None)) for name, projection in circuit.projections.items()}
    census = _census(circuit, circuit, phase, None)
    sources = tuple(name for name, population in circuit.populations.items() if population.model.source)
    return Epoch(circuit.epoch, circuit.time_si, phase, census, _connectivity(circuit, phase), sources=sources, cells=cells, born=born)


def lived_epoch(before: Circuit, after: Circuit, phase: str, recording: Recording, edit: Edit, measures: Mapping) -> Epoch:
    """Describe an epoch: the circuits on both sides of its boundary, what was recorded, measured and carried out."""
    names = (*before.populations, *before.projections)
    tables = dict(_settled(edit))
    rules = tuple(dict.fromkeys(str(rule) for table in tables.values() for rule in np.unique(table["rule"])))
    events = [_packed(before, after, edit, kind, name, table, names, rules) for (kind, name), table in tables.items()]
    bare = {key: table[[column for column in table.dtype.names if column not in CAUSES]] for key, table in tables.items()}
    born, gone = {}, {}
    for name, change in edit.synapses.items():
        born[name] = _who(after.projections[name], slice(change.kept, None))
        gone[name] = np.delete(before.projections[name].ids, change.rows[: change.kept])
    census, connectivity = _census(before, after, phase, edit), _connectivity(after, phase)
    _add_changes(connectivity, census, before, recording)
    return Epoch(
        after.epoch, before.time_si, phase, census, connectivity,
        activity=_activity(before, phase, recording, after.epoch), events=np.concatenate([np.empty(0, PACKED), *events]), parts=names,
        rules=rules, orders={key: repack_fields(rows) for key, rows in bare.items()}, born=born, gone=gone,
        measures={name: float(value) for name, value in measures.items()}, dropped=edit.dropped,
        lost=Counter({name: count for name, count in edit.lost.items() if count}),
    )  # fmt: skip


def _settled(edit: Edit):
    settled = edit.settled
    by_kind = zip(KINDS, (settled.deaths, settled.divisions, settled.unlinked, settled.links), strict=True)
    return (((kind, name), table) for kind, tables in by_kind for name, table in tables.items() if len(table))


def _packed(before, after, edit, kind, name, table, names, rules) -> np.ndarray:
    rows = np.zeros(len(table), PACKED)
    rows["kind"], rows["where"] = KINDS.index(kind), names.index(name)
    known, which = np.unique(table["rule"], return_inverse=True)
    rows["rule"] = np.array([rules.index(str(rule)) for rule in known])[which]
    rows["parent"] = rows["pre"] = rows["post"] = -1
    rows["value"], rows["threshold"] = table["value"], table["threshold"]
    if kind == "death":
        rows["id"] = table["cell"]
    elif kind == "division":
        rows["id"], rows["parent"] = edit.settled.daughters[name], table["mother"]
    elif kind == "unlink":
        gone = _who(before.projections[name], before.projections[name].rows(table["synapse"]))
        for column, _ in WHO:
            rows[column] = gone[column]
    else:
        # Links come first among the synapses that descend from none; those of the wiring follow.
        fresh = np.flatnonzero(edit.synapses[name].rows < 0)[: len(table)]
        rows["id"], rows["pre"], rows["post"] = after.projections[name].ids[fresh], table["pre"], table["post"]
    return rows


def _who(projection, rows) -> np.ndarray:
    columns = {column: projection.synapses[column][rows] for column, _ in WHO}
    made = np.zeros(len(columns["id"]), WHO)
    for column, values in columns.items():
        made[column] = values
    return made


def _rows(kind, names, epoch: int, time: float, phase: str) -> np.ndarray:
    rows = np.zeros(len(names), kind)
    rows["epoch"], rows["time"], rows["phase"], rows["name"] = epoch, time, phase, list(names)
    return rows


def _census(before: Circuit, after: Circuit, phase: str, edit: Edit | None) -> np.ndarray:
    names = (*after.populations, *after.projections)
    rows = _rows(CENSUS, names, after.epoch, after.time_si, phase)
    rows["size"] = [len(after[name]) for name in names]
    changes = {} if edit is None else {**edit.cells, **edit.synapses}
    for row, name in enumerate(names):
        if name in changes:
            rows["births"][row] = len(changes[name].rows) - changes[name].kept
            rows["deaths"][row] = len(before[name]) - changes[name].kept
    return rows


def _connectivity(circuit: Circuit, phase: str) -> np.ndarray:
    rows = _rows(CONNECTIVITY, circuit.projections, circuit.epoch, circuit.time_si, phase)
    rows["turnover"] = np.nan
    for row, projection in zip(rows, circuit.projections.values(), strict=True):
        row["synapses"] = len(projection)
        for end, population, column in (("in", projection.target, "post"), ("out", projection.source, "pre")):
            degree = degrees(circuit.populations[population], projection.synapses[column])
            row[f"{end}_max"] = degree.max(initial=0)
            row[f"{end}_mean"], row[f"{end}_sd"] = (degree.mean(), degree.std()) if len(degree) else (np.nan, np.nan)
    return rows


def _add_changes(connectivity: np.ndarray, census: np.ndarray, before: Circuit, recording: Recording) -> None:
    """Add what an epoch changed to the connectivity at its end: turnover, and the synaptic events that were transmitted."""
    for row, change in zip(connectivity, census[-len(connectivity) :] if len(connectivity) else (), strict=True):
        old = before.projections[str(row["name"])]
        both = len(old) + row["synapses"]
        row["turnover"] = (change["births"] + change["deaths"]) / both if both else np.nan
        row["events"] = degrees(before.populations[old.source], old.synapses["pre"]) @ recording[old.source].counts


def degrees(population, ends: np.ndarray) -> np.ndarray:
    """Count the synapses of each cell of a population, given the cell at that end of each synapse."""
    return np.bincount(population.rows(ends) if len(ends) else [], minlength=len(population))


def _activity(before: Circuit, phase: str, recording: Recording, epoch: int) -> np.ndarray:
    names = list(before.populations)
    rows = _rows(ACTIVITY, names, epoch, before.time_si, phase)
    for row, name in zip(rows, names, strict=True):
        part = recording[name]
        row["cells"], row["spikes"] = len(part.counts), part.counts.sum()
        row["rate"], row["silent"], row["cv"] = np.nan, np.nan, _irregularity(part, before.populations[name])
        if len(part.counts):
            row["rate"], row["silent"] = np.asarray(part.rate()).mean(), (part.counts == 0).mean()
    return rows


def _irregularity(part: PartRecording, population) -> float:
    """Return the coefficient of variation of interspike intervals, mean over cells with two intervals or more (NaN: none)."""
    order = np.argsort(part.spikes.id, kind="stable")
    cell, step = part.spikes.id[order], part.spikes.step[order]
    same = cell[1:] == cell[:-1]
    interval, owner = np.diff(step)[same].astype(float), population.rows(cell[1:][same])
    count = np.bincount(owner, minlength=len(population))
    enough = count >= 2
    mean = np.bincount(owner, interval, len(population))[enough] / count[enough]
    spread = np.bincount(owner, interval**2, len(population))[enough] / count[enough] - mean**2
    return float((np.sqrt(np.maximum(spread, 0)) / mean).mean()) if enough.any() else np.nan
