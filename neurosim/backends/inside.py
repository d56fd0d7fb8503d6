"""What we need of Brian2 beyond its public names: its spike queues and its memory of generated code."""

import numpy as np
from brian2.codegen.translation import make_statements

MOST_REMEMBERED = 1000  # pieces of generated code: Brian2 would keep those of every size that a population ever had


def fill_queue(queue, rows: np.ndarray, ahead: np.ndarray) -> None:
    """Put events into a spike queue: compiled queues take a list for each slot, the Python one (ahead, row) pairs."""
    state = queue._full_state()
    if len(state) == 3:
        spikes = np.stack([ahead, rows], axis=1)
        queue._restore_from_full_state((state[0], spikes, (state[2][0], max(state[2][1], np.bincount(ahead).max()))))
        return
    offset, slots = state
    slots = [[] for _ in slots]
    order = np.argsort(ahead, kind="stable")
    bounds = np.searchsorted(ahead[order], np.arange(len(slots) + 1))
    for slot in range(len(slots)):
        slots[(offset + slot) % len(slots)] = rows[order[bounds[slot] : bounds[slot + 1]]].tolist()
    queue._restore_from_full_state((offset, slots))


def read_queue(queue) -> tuple[np.ndarray, np.ndarray]:
    """Return the events of a spike queue in order of delivery: synapse rows and time steps ahead (0 is the next one)."""
    state = queue._full_state()
    if len(state) == 3:
        spikes = np.asarray(state[1]).reshape(-1, 2)
        spikes = spikes[np.argsort(spikes[:, 0], kind="stable")]
        return spikes[:, 1].astype(np.int64), spikes[:, 0].astype(np.int64)
    offset, slots = state
    ordered = [slots[(offset + ahead) % len(slots)] for ahead in range(len(slots))]
    rows = np.array([row for slot in ordered for row in slot], dtype=np.int64)
    return rows, np.repeat(np.arange(len(slots)), [len(slot) for slot in ordered])


def of_any_size(part) -> None:
    """Let Brian2 find again the code that it worked out for another size: its memory takes sizes for a part of the code."""
    for name, variable in part.variables.items():
        sizes = {"size", "value"} if name == "N" else {"size"}
        variable._cache_irrelevant_attributes = {*variable._cache_irrelevant_attributes, *sizes, "_cache_irrelevant_attributes"}


def included(part, network) -> None:
    """Mark an object as part of a network that is never run, so that Brian2 does not warn of it."""
    part._network = network.id


def forget_old_code() -> None:
    """Let Brian2 forget all but the latest pieces of code."""
    remembered = make_statements.__wrapped__._cache
    for key in list(remembered)[:-MOST_REMEMBERED]:
        del remembered[key]
