"""History: what happened in a life, event by event and epoch by epoch."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neurosim.circuit import Circuit
from neurosim.errors import near
from neurosim.events import Events
from neurosim.files import write_csv
from neurosim.lifecycle import summary
from neurosim.lifecycle.records import ACTIVITY, CELL, CENSUS, CONNECTIVITY, EVENT, WHO, Epoch, first_epoch
from neurosim.lifecycle.tallies import BALANCE, LEDGERS, NAME
from neurosim.measures import kaplan_meier
from neurosim.recording import Recording

LINEAGE = [("population", NAME), *CELL, ("death", "i8"), ("origin", NAME), ("progenitor", "i8")]
CSV = ("events", "census", "activity", "connectivity", "ledgers", "balance", "lineage")
COST = [("epoch", "i8"), ("spikes", "i8"), ("events", "i8")]
SYNAPSE = [*WHO, ("birth", "i8"), ("death", "i8")]


class Kept(Mapping):
    """Hold the circuits that are kept in full, by epoch; one that lies in a file is read each time it is asked for."""

    def __init__(self, circuits: Mapping[int, Circuit | Callable[[], Circuit]]):
        self._circuits = circuits

    def __getitem__(self, epoch: int) -> Circuit:
        if epoch not in self._circuits:
            known = ", ".join(map(str, self)) or "none"
            raise KeyError(f"the circuit of epoch {epoch} was not kept in full (kept: {known}); ns.RunFolder(..., every=...) keeps more")
        circuit = self._circuits[epoch]
        return circuit() if callable(circuit) else circuit

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._circuits))

    def __len__(self) -> int:
        return len(self._circuits)


@dataclass(eq=False, repr=False)
class History:
    """Hold a life: the record of every epoch, the circuits that were kept in full, and what was recorded.

    `epochs` begins with the record of the start. Out of it come structured arrays: `events` (one row for each that was
    carried out), `census`, `activity` and `connectivity` (one for each part and epoch), `lineage` (one for each cell that
    ever lived) and `synapses(projection)`; a death of -1 means alive. Births and deaths of synapses count copies and losses
    with their cells too. `measures` maps names to one value an epoch, `kept` epochs to circuits, `circuits` phases to the
    circuit at their end; `dropped` counts proposals in conflict by cause and `lost` spikes in flight on removed synapses by
    projection. `branch` names the run folder and the epoch from which this life branched, if it did.
    """

    epochs: list[Epoch]
    circuits_kept: dict[int, Circuit | Callable[[], Circuit]]
    recordings: list[Recording | Callable[[], Recording]] = field(default_factory=list)
    interrupted: bool = False
    branch: Mapping | None = None

    @classmethod
    def begin(cls, circuit: Circuit, phase: str) -> "History":
        """Begin a history with the circuit that is there before its first epoch."""
        return cls([first_epoch(circuit, phase)], {circuit.epoch: circuit})

    def let_go(self, phase: str) -> None:
        """Let the last circuit go before the next one of this phase is made; the first one and ends of phases stay in full."""
        last = self.epochs[-1]
        if len(self.epochs) > 1 and last.phase == phase:
            self.circuits_kept.pop(last.number, None)

    def note(self, epoch: Epoch, circuit: Circuit, recording: Recording | None) -> None:
        """Add an epoch, the circuit after it, and what is kept of its recording."""
        self.let_go(epoch.phase)
        self.epochs.append(epoch)
        self.circuits_kept[epoch.number] = circuit
        if recording is not None:
            self.recordings.append(recording)

    @property
    def kept(self) -> Kept:
        """The circuits that are kept in full, by epoch."""
        return Kept(self.circuits_kept)

    @property
    def start(self) -> Circuit:
        """The circuit before the first epoch."""
        return self.kept[self.epochs[0].number]

    @property
    def circuit(self) -> Circuit:
        """The circuit after the last epoch."""
        return self.kept[self.epochs[-1].number]

    @property
    def circuits(self) -> dict[str, Circuit]:
        """The circuits at the ends of the phases, by phase."""
        kept = self.kept
        return {phase: kept[last] for phase, _, last in self.phases if last in kept}

    @property
    def events(self) -> np.ndarray:
        """All events that were carried out, as a structured array."""
        return np.concatenate([np.empty(0, EVENT), *(epoch.event_rows() for epoch in self.epochs)])

    @property
    def census(self) -> np.ndarray:
        """Sizes, births and deaths of every part in every epoch; the first epoch is the start."""
        return np.concatenate([np.empty(0, CENSUS), *(epoch.census for epoch in self.epochs)])

    @property
    def activity(self) -> np.ndarray:
        """Spikes, mean rate (Hz), silent fraction and irregularity of every population in every epoch."""
        return np.concatenate([np.empty(0, ACTIVITY), *(epoch.activity for epoch in self.epochs)])

    @property
    def connectivity(self) -> np.ndarray:
        """Synapses, degrees, turnover and synaptic events of every projection in every epoch; the first is the start.

        Turnover is births and deaths over the synapses before and after (Holtmaat et al. 2005,
        doi:10.1016/j.neuron.2005.01.003); `events` counts the spikes that synapses were given to transmit.
        """
        return np.concatenate([np.empty(0, CONNECTIVITY), *(epoch.connectivity for epoch in self.epochs)])

    @property
    def ledgers(self) -> np.ndarray:
        """How every ledger was spread over the cells of a population before each boundary: mean, sd, median and quartiles, in SI units."""
        return np.concatenate([np.empty(0, LEDGERS), *(epoch.ledgers for epoch in self.epochs)])

    @property
    def balance(self) -> np.ndarray:
        """What excited and inhibited every population in every epoch (V/s), the ratio of excitatory to inhibitory cells, and synchrony.

        See lifecycle.tallies.balance for what each column means.
        """
        return np.concatenate([np.empty(0, BALANCE), *(epoch.balance for epoch in self.epochs)])

    @property
    def lineage(self) -> np.ndarray:
        """Every cell that ever lived, with parent, epoch of birth and epoch of death (-1: alive).

        One born without a mother in its population has a parent of -1; `origin` and `progenitor` name the population and the cell that it
        differentiated from, if it did.
        """
        tables = [np.empty(0, LINEAGE)]
        events = self.events
        for name, founders in self.epochs[0].cells.items():
            own = events[events["where"] == name]
            born, died = own[np.isin(own["kind"], ("division", "birth"))], own[own["kind"] == "death"]
            rows = np.zeros(len(founders) + len(born), LINEAGE)
            rows["population"], rows["progenitor"] = name, -1
            afresh = born["kind"] == "birth"
            for column, later in (("id", born["id"]), ("parent", np.where(afresh, -1, born["parent"])), ("birth", born["epoch"])):
                rows[column] = np.concatenate([founders[column], later])
            later = rows[len(founders) :]
            later["origin"], later["progenitor"] = np.where(afresh, born["origin"], ""), np.where(afresh, born["parent"], -1)
            _bury(rows, [(died["epoch"], died["id"])])
            tables.append(rows)
        return np.concatenate(tables)

    def synapses(self, projection: str) -> np.ndarray:
        """Return every synapse of a projection that ever lived: id, parent, pre, post, epochs of birth and death (-1: alive).

        Raises KeyError for an unknown projection.
        """
        if projection not in self.epochs[0].born:
            raise KeyError(f"this history has no projection {projection!r}.{near(projection, self.epochs[0].born)}")
        born = [(epoch.number, epoch.born[projection]) for epoch in self.epochs if projection in epoch.born]
        rows = np.zeros(sum(len(new) for _, new in born), SYNAPSE)
        for column, _ in WHO:
            rows[column] = np.concatenate([new[column] for _, new in born])
        rows["birth"] = np.concatenate([np.full(len(new), number) for number, new in born])
        _bury(rows, [(epoch.number, epoch.gone[projection]) for epoch in self.epochs if projection in epoch.gone])
        return rows

    def survival(self, name: str) -> np.ndarray:
        """Return the survival of all cells of a population or synapses of a projection by age in epochs; see measures.kaplan_meier."""
        if name in self.epochs[0].cells:
            rows = self.lineage
            rows = rows[rows["population"] == name]
        else:
            rows = self.synapses(name)
        return kaplan_meier(rows["birth"], rows["death"], self.epochs[-1].number)

    @property
    def cost(self) -> np.ndarray:
        """Spikes of all cells but spike sources, and synaptic events, from the start to each epoch: what a life has spent so far."""
        rows = np.zeros(len(self.epochs) - 1, COST)
        rows["epoch"] = [epoch.number for epoch in self.epochs[1:]]
        for place, epoch in enumerate(self.epochs[1:]):
            own = ~np.isin(epoch.activity["name"], self.epochs[0].sources)
            rows["spikes"][place] = epoch.activity["spikes"][own].sum()
            rows["events"][place] = epoch.connectivity["events"].sum()
        for column in ("spikes", "events"):
            rows[column] = rows[column].cumsum()
        return rows

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """What was measured before each boundary, one value an epoch by name; NaN in epochs in which it was not."""
        lived = self.epochs[1:]
        return {
            name: np.array([epoch.measures.get(name, np.nan) for epoch in lived])
            for name in dict.fromkeys(name for epoch in lived for name in epoch.measures)
        }

    @property
    def boundaries(self) -> list[Events]:
        """The events of each epoch as they were carried out, from which `replay` makes the structure again."""
        return [epoch.boundary() for epoch in self.epochs[1:]]

    @property
    def dropped(self) -> Counter:
        """How many proposed events were dropped, by the conflict that caused it."""
        return sum((Counter(epoch.dropped) for epoch in self.epochs), Counter())

    @property
    def lost(self) -> Counter:
        """How many spikes in flight were lost with their synapses, by projection."""
        return sum((Counter(epoch.lost) for epoch in self.epochs), Counter())

    @property
    def phases(self) -> list[tuple[str, int, int]]:
        """The phases lived through: name, first and last epoch."""
        found: dict[str, tuple[int, int]] = {}
        for epoch in self.epochs[1:]:
            found[epoch.phase] = (found.get(epoch.phase, (epoch.number,))[0], epoch.number)
        return [(phase, first, last) for phase, (first, last) in found.items()]

    @property
    def recording(self) -> Recording:
        """The recordings of all epochs, joined; raises ValueError if nothing was asked for."""
        if not self.recordings:
            raise ValueError("nothing was recorded over this life; ask for it with develop(..., record=[ns.Spikes(...), ns.Trace(...)])")
        return Recording.concatenate([one() if callable(one) else one for one in self.recordings])

    def series(self, name: str) -> np.ndarray:
        """Return the census rows of one population or projection; raise KeyError for another name."""
        census = self.census
        if name not in census["name"]:
            raise KeyError(f"this history has no census of {name!r}.{near(name, dict.fromkeys(census['name'].tolist()))}")
        return census[census["name"] == name]

    def save_tables(self, folder) -> list[Path]:
        """Write events, census, activity, connectivity, ledgers, balance, lineage and measures as CSV files; return their paths.

        Raises OSError naming the file that cannot be written.
        """
        measures = self.measures
        rows = np.zeros(len(self.epochs) - 1, [("epoch", "i8"), *((name, "f8") for name in measures)])
        rows["epoch"] = [epoch.number for epoch in self.epochs[1:]]
        for name, values in measures.items():
            rows[name] = values
        tables = {name: getattr(self, name) for name in CSV} | {"measures": rows}
        return [write_csv(Path(folder) / f"{name}.csv", table) for name, table in tables.items()]

    def __repr__(self) -> str:
        return f"<History of {len(self.epochs) - 1} epochs, {sum(len(epoch.events) for epoch in self.epochs)} events>"

    def __str__(self) -> str:
        return summary.text(self)

    def table(self, cells=None, synapses=None) -> str:
        """Return a table with a line for each phase; see summary.table."""
        return summary.table(self, cells, synapses)

    def report(self) -> None:
        """Print what happened: phases, events by rule, turnover, degrees and survival of synapses, rates."""
        print(summary.report(self))


def _bury(rows: np.ndarray, deaths: list[tuple]) -> None:
    """Enter the epochs of death of (epoch, ids) into rows with ids."""
    rows["death"] = -1
    order = np.argsort(rows["id"])
    for epoch, ids in deaths:
        rows["death"][order[np.searchsorted(rows["id"], ids, sorter=order)]] = epoch
