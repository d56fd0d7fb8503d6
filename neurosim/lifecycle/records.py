"""What one epoch leaves behind: events, census, activity, connectivity, and which synapses came and went."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.recfunctions import repack_fields

from neurosim.circuit import Circuit
from neurosim.edit import Edit, TableEdit
from neurosim.events import CAUSE, COLUMNS, Events
from neurosim.lifecycle.tallies import BALANCE, HEAD, LEDGERS, NAME, balance, headed, ledgers
from neurosim.recording import PartRecording, Recording
from neurosim.table import Table

KINDS = ("death", "handover", "fade", "division", "birth", "unlink", "link")
WHO = [("id", "i8"), ("parent", "i8"), ("pre", "i8"), ("post", "i8")]
WHY = [("value", "f8"), ("threshold", "f8")]
EVENT = [("epoch", "i8"), ("time", "f8"), ("kind", "U12"), ("where", NAME), *WHO, ("origin", NAME), ("rule", NAME), *WHY]
PACKED = [
    ("kind", "i1"),
    ("where", "i2"),
    *WHO,
    ("origin", "i2"),
    ("rule", "i2"),
    *WHY,
]  # an event as it is kept: 55 bytes where EVENT has 880
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
    ledgers: np.ndarray = field(default_factory=lambda: np.empty(0, LEDGERS))
    balance: np.ndarray = field(default_factory=lambda: np.empty(0, BALANCE))
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
        for column, names in (("kind", KINDS), ("where", self.parts), ("origin", self.parts), ("rule", self.rules)):
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
    born = {name: _who(projection.synapses, slice(None)) for name, projection in circuit.projections.items()}
    census, connectivity = _census(circuit, phase, circuit.epoch, None), _connectivity(circuit, phase, circuit.epoch)
    sources = tuple(name for name, population in circuit.populations.items() if population.model.source)
    started = ledgers(circuit, phase, circuit.epoch)
    return Epoch(circuit.epoch, circuit.time_si, phase, census, connectivity, ledgers=started, sources=sources, cells=cells, born=born)


def lived_epoch(circuit: Circuit, phase: str, recording: Recording, edit: Edit, measures: Mapping) -> Epoch:
    """Describe an epoch at its end: what was recorded and measured of it, and what an edit, not carried out yet, makes of the circuit."""
    number, names = circuit.epoch + 1, (*circuit.populations, *circuit.projections)
    tables = dict(_settled(edit))
    labels = {key: _runs(table["rule"]) for key, table in tables.items()}
    rules = tuple(dict.fromkeys(rule for known, _ in labels.values() for rule in sorted(set(known))))
    events = [_packed(circuit, edit, key, table, names, rules, labels[key]) for key, table in tables.items()]
    bare = {key: table[[column for column in table.dtype.names if column not in CAUSES]] for key, table in tables.items()}
    return Epoch(
        number, circuit.time_si, phase, _census(circuit, phase, number, edit), _connectivity(circuit, phase, number, edit, recording),
        activity=_activity(circuit, phase, recording, number), ledgers=ledgers(circuit, phase, number),
        balance=balance(circuit, phase, number, recording), events=np.concatenate([np.empty(0, PACKED), *events]), parts=names, rules=rules,
        orders={key: repack_fields(rows) for key, rows in bare.items()},
        born={name: _who(change.values, slice(None)) for name, change in edit.synapses.items()},
        gone={name: circuit.projections[name].ids[change.removed] for name, change in edit.synapses.items()},
        measures={name: float(value) for name, value in measures.items()}, dropped=edit.dropped,
        lost=Counter({name: count for name, count in edit.lost.items() if count}),
    )  # fmt: skip


def _settled(edit: Edit):
    settled = edit.settled
    tables = (settled.deaths, settled.handed, settled.faded, settled.divisions, settled.births, settled.unlinked, settled.links)
    by_kind = zip(KINDS, tables, strict=True)
    return (((kind, name), table) for kind, tables in by_kind for name, table in tables.items() if len(table))


def _runs(column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the values of a column that does not change often, one for each run of equal ones, and how long the runs are."""
    starts = np.concatenate([[0], np.flatnonzero(column[1:] != column[:-1]) + 1])
    return column[starts].tolist(), np.diff(starts, append=len(column))


def _packed(circuit: Circuit, edit: Edit, key, table: np.ndarray, names, rules, labels) -> np.ndarray:
    (kind, name), (known, lengths) = key, labels
    rows = np.zeros(len(table), PACKED)
    rows["kind"], rows["where"] = KINDS.index(kind), names.index(name)
    rows["rule"] = np.repeat([rules.index(rule) for rule in known], lengths)
    rows["parent"] = rows["pre"] = rows["post"] = rows["origin"] = -1
    rows["value"], rows["threshold"] = table["value"], table["threshold"]
    if kind in ("death", "fade"):
        rows["id"] = table["cell"]
    elif kind == "handover":
        rows["id"], rows["parent"] = table["heir"], table["cell"]
    elif kind == "division":
        rows["id"], rows["parent"], rows["origin"] = edit.settled.daughters[name], table["mother"], rows["where"]
    elif kind == "birth":
        rows["id"], rows["parent"] = edit.settled.born[name], table["progenitor"]
        rows["origin"] = [names.index(origin) if origin else -1 for origin in table["origin"].tolist()]
    elif kind == "unlink":
        synapses, removed = circuit.projections[name].synapses, edit.synapses[name].removed
        gone = Table({column: synapses[column][removed] for column, _ in WHO}, ascending=synapses.ascending)
        found = gone.find(table["synapse"], name)
        for column, _ in WHO:
            rows[column] = gone[column][found]
    else:
        # Links come first among the synapses that descend from none; those of the wiring follow.
        change = edit.synapses[name]
        rows["id"] = change.values["id"][len(change.copied) :][: len(table)]
        rows["pre"], rows["post"] = table["pre"], table["post"]
    return rows


def _who(table: Table | Mapping, rows) -> np.ndarray:
    columns = {column: table[column][rows] for column, _ in WHO}
    made = np.zeros(len(columns["id"]), WHO)
    for column, values in columns.items():
        made[column] = values
    return made


def _census(circuit: Circuit, phase: str, epoch: int, edit: Edit | None) -> np.ndarray:
    """Count the parts as they are (no edit), or as an edit leaves them."""
    names = (*circuit.populations, *circuit.projections)
    rows = headed(CENSUS, names, epoch, circuit.time_si, phase)
    changes = {} if edit is None else {**edit.cells, **edit.synapses}
    for row, name in zip(rows, names, strict=True):
        row["size"], row["births"], row["deaths"] = _counts(circuit[name], changes.get(name))
    return rows


def _counts(part, change: TableEdit | None) -> tuple[int, int, int]:
    """Return the rows of a part after a change, those that are new and those that are gone."""
    return (len(part), 0, 0) if change is None else (change.after, len(change.origin), len(change.removed))


def _connectivity(circuit: Circuit, phase: str, epoch: int, edit: Edit | None = None, recording: Recording | None = None) -> np.ndarray:
    """Describe the projections as they are, or as an edit leaves them, with what an epoch changed and transmitted."""
    rows = headed(CONNECTIVITY, circuit.projections, epoch, circuit.time_si, phase)
    rows["turnover"] = np.nan
    for row, (name, projection) in zip(rows, circuit.projections.items(), strict=True):
        row["synapses"], births, deaths = _counts(projection, edit and edit.synapses.get(name))
        for end, population, column in (("in", projection.target, "post"), ("out", projection.source, "pre")):
            before, degree = _degrees(circuit, projection, population, column, edit)
            row[f"{end}_max"] = degree.max(initial=0)
            row[f"{end}_mean"], row[f"{end}_sd"] = (degree.mean(), degree.std()) if len(degree) else (np.nan, np.nan)
        if recording is not None:
            both = len(projection) + row["synapses"]
            row["turnover"] = (births + deaths) / both if both else np.nan
            row["events"] = before @ recording[projection.source].counts  # of the outgoing, which come last
    return rows


def _degrees(circuit: Circuit, projection, end: str, column: str, edit: Edit | None) -> tuple[np.ndarray, np.ndarray]:
    """Count the synapses of each cell at one end of a projection, before and after an edit."""
    population, cells = circuit.populations[end], projection.synapses[column]
    count = np.bincount(cells, minlength=len(population.parents))
    before = count[population.ids]
    if edit is None or projection.name not in edit.synapses:
        return before, before
    change, size = edit.synapses[projection.name], len(edit.parents.get(end, population.parents))
    count = np.pad(count, (0, size - len(count))) - np.bincount(cells[change.removed], minlength=size)
    count += np.bincount(change.values[column], minlength=size)
    ids = edit.cells[end].column(population.cells, "id") if end in edit.cells else population.ids
    return before, count[ids]


def _activity(before: Circuit, phase: str, recording: Recording, epoch: int) -> np.ndarray:
    names = list(before.populations)
    rows = headed(ACTIVITY, names, epoch, before.time_si, phase)
    for row, name in zip(rows, names, strict=True):
        part = recording[name]
        row["cells"], row["spikes"] = len(part.counts), part.counts.sum()
        row["rate"], row["silent"], row["cv"] = np.nan, np.nan, _irregularity(part, before.populations[name])
        if len(part.counts):
            row["rate"], row["silent"] = np.asarray(part.rate()).mean(), (part.counts == 0).mean()
    return rows


def _irregularity(part: PartRecording, population) -> float:
    """Return the coefficient of variation of interspike intervals, mean over cells with two intervals or more (NaN: none)."""
    row = population.rows(part.spikes.id)
    order = np.argsort(row.astype(np.uint16) if len(population) <= 2**16 else row, kind="stable")  # 16 bits are sorted in linear time
    cell, step = row[order], part.spikes.step[order]
    same = cell[1:] == cell[:-1]
    interval, owner = np.diff(step)[same].astype(float), cell[1:][same]
    count = np.bincount(owner, minlength=len(population))
    enough = count >= 2
    mean = np.bincount(owner, interval, len(population))[enough] / count[enough]
    spread = np.bincount(owner, interval**2, len(population))[enough] / count[enough] - mean**2
    return float((np.sqrt(np.maximum(spread, 0)) / mean).mean()) if enough.any() else np.nan
