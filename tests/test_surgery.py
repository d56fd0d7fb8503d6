"""The plan of an edit and its carrying out: against plain Python, and at the cost of what changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import circuit, rng

import neurosim as ns
from neurosim.edit import TableEdit, fly_on
from neurosim.lifecycle.records import lived_epoch
from neurosim.surgery import carry_out
from neurosim.table import Table, among, distinct, over_ids
from neurosim.units import ms, mV, nS

# --- tables ----------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 300), min_size=1, max_size=40), st.integers(0, 999), st.integers(1, 200), st.booleans())
def test_rows_of_ids(ids, seed, asked, rising):
    """By search or by an array over all ids, in tables in order and out of it."""
    own = np.array(sorted(ids)) if rising else rng(seed).permutation(sorted(ids))
    wanted = rng(seed).integers(-5, 310, asked)
    rows = {one: row for row, one in enumerate(own.tolist())}
    table = Table({"id": own, "x": own * 2.0})
    assert table.rows_or_missing(wanted).tolist() == [rows.get(one, -1) for one in wanted.tolist()]
    assert table.ascending == (own.tolist() == sorted(ids))
    present = rng(seed).choice(own, asked)
    assert table.find(present, "table").tolist() == [rows[one] for one in present.tolist()]
    with pytest.raises(KeyError, match="table has no id 999"):
        table.find([*present, 999], "table")


def test_what_is_known_of_ids_is_carried_on():
    table = Table({"id": np.array([1, 4, 5]), "x": np.zeros(3)}, ascending=True)
    assert table.replace(x=np.ones(3))._ascending and table.without("x")._ascending
    assert table.replace(id=np.array([4, 1, 5]))._ascending is None and not table.replace(id=np.array([4, 1, 5])).ascending


def test_small_questions_about_ids():
    assert among(np.array([3, 1, 7, 3]), np.array([1, 3])).tolist() == [True, True, False, True]
    assert among(np.array([3, 1]), np.array([], dtype=int)).tolist() == [False, False]
    assert over_ids(5, np.array([3, 0]), np.array([7, 8]), -1).tolist() == [8, -1, -1, 7, -1]
    assert distinct(np.array([5, 2, 5, 9, 2])).tolist() == [2, 5, 9] and distinct(np.array([], dtype=int)).tolist() == []


# --- edits -----------------------------------------------------------------------------------------------------------


@st.composite
def edits(draw):
    """An edit of a table of up to 12 rows, with every way in which a column may change."""
    size = draw(st.integers(0, 12))
    removed = sorted(draw(st.sets(st.integers(0, size - 1)))) if size else []
    left = sorted(set(range(size)) - set(removed))
    copied = draw(st.lists(st.sampled_from(left), max_size=9)) if left else []
    made = draw(st.integers(0, 3))
    changed = sorted(draw(st.sets(st.sampled_from(left)))) if left else []
    number = len(copied) + made
    values = {"id": size + np.arange(number), "given": -1.0 - np.arange(number)}
    return TableEdit(
        np.array(removed, dtype=int), np.array(copied + [-1] * made, dtype=int), values, {"kept": np.full(made, 0.5), "changed": np.full(made, 0.25)},
        {"changed": (np.array(changed, dtype=int), 100.0 + np.arange(len(changed)))}, size,
    )  # fmt: skip


def by_hand(table, change):
    """The columns of a table after an edit, one value after the other."""
    left = [row for row in range(change.size) if row not in change.removed.tolist()]
    columns = {name: [table[name][row] for row in left] for name in table}
    for row, value in zip(*map(np.ndarray.tolist, change.changed["changed"]), strict=True):
        columns["changed"][left.index(row)] = value
    fresh = 0
    for place, row in enumerate(change.origin.tolist()):
        for name in table:
            columns[name].append(
                change.values[name][place] if name in change.values else table[name][row] if row >= 0 else change.fresh[name][fresh]
            )
        fresh += row < 0
    return columns


@settings(max_examples=200, deadline=None)
@given(edits())
def test_an_edit_of_a_table_is_what_it_says(change):
    table = Table({"id": np.arange(change.size), **{name: rng(1).random(change.size) for name in ("given", "kept", "changed")}})
    after = change.carry_out(table)
    assert {name: after[name].tolist() for name in after} == by_hand(table, change)
    assert len(after) == change.after == change.kept + len(change.origin)
    assert after._ascending and (np.diff(after["id"]) > 0).all()
    assert change.survivors.tolist() == [row for row in range(change.size) if row not in change.removed]


@settings(max_examples=200, deadline=None)
@given(edits(), st.integers(0, 20), st.integers(0, 999))
def test_spikes_fly_on(change, spikes, seed):
    """Survivors first and then heirs, spike by spike, within each time step."""
    size = change.size if spikes else 0
    rows = rng(seed).integers(0, size, spikes) if size else np.empty(0, int)
    steps = np.sort(rng(seed + 1).integers(0, 4, len(rows)))
    left = change.survivors.tolist()
    expected = [
        (step, 0, order, left.index(row))
        for order, (row, step) in enumerate(zip(rows.tolist(), steps.tolist(), strict=True))
        if row in left
    ]
    for order, (row, step) in enumerate(zip(rows.tolist(), steps.tolist(), strict=True)):
        expected += [(step, 1, order, change.kept + heir) for heir, origin in enumerate(change.origin.tolist()) if origin == row]
    found = fly_on(rows, steps, change)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == [(row, step) for step, _, _, row in sorted(expected)]


# --- what a boundary costs -------------------------------------------------------------------------------------------


class Read(Table):
    """A table that notes which of its columns are read."""

    __slots__ = ("read",)

    def __init__(self, table):
        super().__init__(dict(table.items()), ascending=table.ascending)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


def watched(now):
    """The same circuit with noted tables, and a function that tells what was read of cells and of synapses."""
    parts = {name: ns.Population(**{**vars(now[name]), "cells": Read(now[name].cells)}) for name in now.populations}
    parts |= {name: ns.Projection(**{**vars(now[name]), "synapses": Read(now[name].synapses)}) for name in now.projections}
    now = now.updated(parts)

    def read():
        cells, synapses = (set().union(*(table.read for table in tables)) for tables in (
            [now[name].cells for name in now.populations], [now[name].synapses for name in now.projections]))  # fmt: skip
        return cells, synapses

    return now, read


UNLINK = ns.Events.unlink("loop", [1, 5])
LINK = ns.Events.link("loop", [0, 1], [2, 3], 1e-9, 1e-3)


@pytest.mark.parametrize(
    ("events", "cells", "synapses"),
    [
        (UNLINK + LINK, {"id", "spikes"}, {"id"}),
        (ns.Events.kill("exc", [2]), {"id"}, {"id", "pre", "post"}),
        (ns.Events.divide("exc", [2], rng=rng()), {"id"}, {"id", "pre", "post", "share"}),
    ],
    ids=["rewiring", "death", "division"],
)
def test_a_plan_reads_only_what_it_needs(events, cells, synapses):
    now, read = watched(circuit())
    edit = ns.plan(now, events)
    assert read() == (cells, synapses)
    carry_out(now, edit)
    assert read()[1] >= {"weight", "delay"}  # the control: all columns pass through the carrying out


def test_a_record_reads_no_state_but_strengths():
    now, read = watched(circuit())
    counts = {name: np.zeros(len(now[name]), int) for name in now.populations}
    trains = ns.recording.SpikeTrains(np.empty(0, int), np.empty(0, int), 1e-4)
    parts = {name: ns.recording.PartRecording(name, 0.1, now[name].ids, counts[name], trains) for name in counts}
    lived = lived_epoch(now, "p", ns.Recording(parts, 0, 1000, 1e-4), ns.plan(now, UNLINK + LINK), {})
    assert read() == ({"id", "spikes"}, {"id", "parent", "pre", "post", "share", "weight"})
    assert lived.connectivity["synapses"].tolist() == [len(now["loop"]), len(now["into"])]


def test_circuits_that_follow_share_what_did_not_change():
    now = circuit()
    after = ns.apply(now, UNLINK)
    assert after["exc"] is now["exc"] and after["into"] is now["into"] and len(after["loop"]) == len(now["loop"]) - 2
    later = after.updated({}, epoch=3)
    assert later.epoch == 3 and after.epoch == 0 and all(later[name] is after[name] for name in ("exc", "loop", "into"))
    assert now.reseed(7).seed == 7 and now.reseed(7)["loop"] is now["loop"] and now.seed == 1
    with pytest.raises(TypeError, match="the seed of a circuit is a whole number, not 'seven'"):
        now.reseed("seven")


def test_only_what_users_put_together_is_checked():
    """A circuit that is carried on reads no synapses; one put together of parts that do not fit is refused."""
    now, read = watched(circuit())
    now.updated({"loop": now["loop"].set(weight=2 * nS)}, epoch=1)
    assert "pre" not in read()[1]
    with pytest.raises(ValueError, match="has synapses of cell 8, which population 'exc' of this circuit has not"):
        grown = ns.apply(now, ns.Events.divide("exc", [0], rng=rng()))
        ns.Circuit([now["source"], now["exc"]], [grown["loop"]])


# --- what events are given -----------------------------------------------------------------------------------------------

SLIPS = {
    "a mask": (lambda: ns.Events.kill("exc", np.ones(8, bool)), TypeError, r"cell of death events for 'exc' is of the type bool; give ids"),
    "mothers by mask": (lambda: ns.Events.divide("exc", [True], rng=rng()), TypeError, r"mother of division events for 'exc' is of the type bool"),
    "rates": (lambda: ns.Events.kill("exc", [1.7]), TypeError, r"of the type float64; give ids, which are whole numbers"),
    "synapses by mask": (lambda: ns.Events.unlink("loop", [True, False]), TypeError, r"synapse of unlink events for 'loop' is of the type bool"),
    "volts for siemens": (
        lambda: ns.Events.link("loop", 0, 1, 1 * mV, 1 * ms), TypeError, r"links of 'loop' have weights in volt, but its receptor takes siemens"
    ),
    "one of two": (
        lambda: ns.Events.link("loop", 0, 1, 1 * nS, 1 * ms) + ns.Events.link("loop", 0, 1, 1 * ms, 1 * ms).labelled("x"), TypeError, r"in second"
    ),
    "delay in siemens": (lambda: ns.Events.link("loop", 0, 1, 1 * nS, 1 * nS), TypeError, r"delay of links of 'loop' is 1\. nS, but it needs"),
    "endless delay": (lambda: ns.Events.link("loop", 0, 1, 1 * nS, np.inf * ms), ValueError, r"delay of links of projection 'loop' is inf s; give finite"),
    "no delay": (lambda: ns.Events.link("loop", 0, 1, 1 * nS, np.nan), ValueError, r"delay of links of projection 'loop' is nan s; give finite"),
    "endless jitter": (lambda: ns.Events.divide("exc", 0, rng=rng(), jitter=np.inf), ValueError, r"jitter of a division is inf; give a finite number"),
    "three shares": (lambda: ns.Events.divide("exc", 0, rng=rng(), share=(0.1, 0.2, 0.3)), ValueError, r"share of a division is \(0.1, 0.2, 0.3\)"),
    "fewer than none": (lambda: ns.Events.bear("exc", -2, rng=rng()), ValueError, r"-2 cells are to be born in 'exc'; give 0 or more"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_events_that_cannot_be_meant(slip):
    make, kind, words = SLIPS[slip]
    with pytest.raises(kind, match=words):
        ns.apply(circuit(), make())


def test_events_take_ids_quantities_and_plain_numbers():
    events = (
        ns.Events.kill("exc", []) + ns.Events.link("loop", [0, 1], [2, 3], [1, 2] * nS, 2 * ms) + ns.Events.link("loop", 4, 5, 1e-9, 1e-3)
    )
    table = ns.apply(circuit(), events.labelled("mine"))["loop"].synapses
    assert table["weight"][-3:].tolist() == [1e-9, 2e-9, 1e-9] and table["delay"][-3:].tolist() == [2e-3, 2e-3, 1e-3]
