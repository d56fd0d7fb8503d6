"""Random event sequences on the structure alone: what must hold for every one of them."""

from collections import Counter
from functools import cache

import numpy as np
from circuits import tampered
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.table import Table
from neurosim.units import ms, nS

NAMES = ("exc_to_exc", "exc_to_inh", "inh_to_exc")
POLICIES = st.tuples(*[st.sampled_from(["split", "copy", "wire"])] * 3)
PICKS = st.lists(st.integers(0, 10**6), max_size=4)
BOUNDARY = st.fixed_dictionaries(
    {
        kind: PICKS
        for kind in (
            "kill exc",
            "kill inh",
            "divide exc",
            "divide inh",
            *(f"{kind} {name}" for kind in ("unlink", "link") for name in NAMES),
        )
    }
)


@cache
def projections():
    exc, inh = ns.create("exc", "leaky_conductance", 6), ns.create("inh", "leaky_conductance", 3)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=3 * nS)
    weight, delay = ns.Uniform(1 * nS, 2 * nS), 5 * ms
    one = ns.connect(exc, exc, stdp, ns.FixedProbability(0.4, autapses=True, contacts=2), receptor="g_exc", weight=weight, delay=delay)
    two = ns.connect(exc, inh, "static", ns.FixedInDegree(2), receptor="g_exc", weight=weight, delay=delay)
    three = ns.connect(inh, exc, "static", ns.AllToAll(), receptor="g_inh", weight=weight, delay=delay)
    return [exc, inh], [one, two, three]


def first(policies):
    populations, made = projections()
    return ns.Circuit(populations, [projection.replace(newborn=policy) for projection, policy in zip(made, policies, strict=True)])


def choose(ids, picks):
    """Ids that are there, the same one perhaps twice."""
    return ids[np.array(picks, dtype=np.int64) % len(ids)] if len(ids) and picks else np.empty(0, np.int64)


def proposed(circuit, picks, rng):
    events = ns.Events()
    for name in ("exc", "inh"):
        events += ns.Events.kill(name, choose(circuit[name].ids, picks[f"kill {name}"]))
        # The last inhibitory cells stay, for a wiring of two sources to each target needs them.
        events += ns.Events.divide(name, choose(circuit[name].ids, picks[f"divide {name}"]), rng=rng, share=(0.1, 0.9))
    for name in NAMES:
        projection = circuit[name]
        events += ns.Events.unlink(name, choose(projection.ids, picks[f"unlink {name}"]))
        ends = [choose(circuit[side].ids, picks[f"link {name}"]) for side in (projection.source, projection.target)]
        if len(ends[0]) == len(ends[1]):
            events += ns.Events.link(name, *ends, 1e-9, 5e-3)
    return events


def flying(circuit, rng):
    """Put a few spikes in flight on every projection."""
    for name in NAMES:
        synapse = np.sort(rng.choice(circuit[name].ids, 12)) if len(circuit[name]) else np.empty(0, np.int64)
        circuit = tampered(circuit, name, flight=Table({"synapse": synapse, "step": np.sort(rng.integers(0, 50, len(synapse)))}))
    return circuit


def fits(circuit, events):
    """Whether a degree-2 wiring finds two sources for a newborn."""
    edit = ns.Events({key: rows for key, rows in events.tables.items() if key[0] == "death"})
    return circuit["exc_to_inh"].newborn != "wire" or len(circuit["exc"]) - len(np.unique(edit.of("death", "exc")["cell"])) >= 2


@settings(max_examples=60, deadline=None)
@given(POLICIES, st.lists(BOUNDARY, min_size=1, max_size=5), st.integers(0, 2**32))
def test_of_any_history(policies, boundaries, seed):
    rng = np.random.default_rng(seed)
    circuit, seen, accepted = first(policies), {}, []
    start = circuit
    for picks in boundaries:
        circuit = flying(circuit, rng)
        events = proposed(circuit, picks, rng)
        if not fits(circuit, events):
            continue
        edit, after = ns.plan(circuit, events), ns.apply(circuit, events)
        census(circuit, after, edit, events)
        nobody_names_the_dead(after)
        ids_are_new(circuit, after, seen)
        shares_are_conserved(circuit, after, edit)
        spikes_are_conserved(circuit, after, edit)
        accepted.append(events)
        circuit = after
    again = ns.replay(start, accepted)
    for name in ("exc", "inh"):
        assert again[name].ids.tolist() == circuit[name].ids.tolist()
    for name in NAMES:
        assert again[name].synapses == circuit[name].synapses


def census(before, after, edit, events):
    done = edit.settled
    for name in ("exc", "inh"):
        births, deaths = len(done.divisions[name]), len(done.deaths[name])
        assert len(after[name]) - len(before[name]) == births - deaths
        assert len(after[name].parents) == len(before[name].parents) + births
        assert not set(done.dead[name]) & set(done.divisions[name]["mother"])
    for name in NAMES:
        change = edit.synapses.get(name)
        made, left = (0, len(before[name])) if change is None else (len(change.origin), change.kept)
        assert len(after[name]) == left + made and after[name].next_id == before[name].next_id + made
    carried_out = sum(len(table) for kind in ("deaths", "divisions", "unlinked", "links") for table in getattr(done, kind).values())
    assert carried_out + sum(edit.dropped.values()) == len(events)


def nobody_names_the_dead(circuit):
    for name in NAMES:
        projection = circuit[name]
        assert np.isin(projection.synapses["pre"], circuit[projection.source].ids).all()
        assert np.isin(projection.synapses["post"], circuit[projection.target].ids).all()
        assert np.isin(projection.flight["synapse"], projection.ids).all()


def ids_are_new(before, after, seen):
    """No id comes back, and what stays keeps its id, its place in the order and what it is."""
    for name in ("exc", "inh", *NAMES):
        old, new = before[name].ids, after[name].ids
        known = seen.setdefault(name, set(old.tolist()))
        born = set(new.tolist()) - set(old.tolist())
        assert not born & known and len(np.unique(new)) == len(new) and (np.diff(new) > 0).all()
        known |= born
    for name in NAMES:
        stay = np.flatnonzero(np.isin(before[name].ids, after[name].ids))
        rows = after[name].rows(before[name].ids[stay])
        for key in ("pre", "post", "weight", "delay", "parent"):
            assert after[name].synapses[key][rows].tobytes() == before[name].synapses[key][stay].tobytes()


def shares_are_conserved(before, after, edit):
    """Onto each target cell, a synapse and its copies deliver together what the one would have."""
    for name in NAMES:
        old, new = before[name], after[name]
        table = new.synapses
        inherited = (table["parent"] >= 0) & (table["id"] >= old.next_id)
        origin = np.where(inherited, table["parent"], table["id"])
        delivered = Counter()
        for synapse, post, amount in zip(origin.tolist(), table["post"].tolist(), (table["share"] * table["weight"]).tolist(), strict=True):
            delivered[synapse, post] += amount
        daughters = dict(
            zip(edit.settled.divisions[old.target]["mother"].tolist(), edit.settled.daughters[old.target].tolist(), strict=True)
        )
        mothers = set(edit.settled.divisions[old.source]["mother"].tolist())
        for row, synapse in enumerate(old.ids.tolist()):
            post, pre = int(old.synapses["post"][row]), int(old.synapses["pre"][row])
            amount = old.synapses["share"][row] * old.synapses["weight"][row] * (2 if old.newborn == "copy" and pre in mothers else 1)
            if synapse in new.ids:
                np.testing.assert_allclose(delivered.pop((synapse, post)), amount, rtol=1e-12)
                if post in daughters and old.newborn != "wire":
                    np.testing.assert_allclose(delivered.pop((synapse, daughters[post])), amount, rtol=1e-12)
        assert all(synapse >= old.next_id for synapse, _ in delivered)


def spikes_are_conserved(before, after, edit):
    for name in NAMES:
        old, new = before[name], after[name]
        table = new.synapses
        steps = {synapse: Counter(old.flight["step"][old.flight["synapse"] == synapse].tolist()) for synapse in old.ids.tolist()}
        now = {synapse: Counter(new.flight["step"][new.flight["synapse"] == synapse].tolist()) for synapse in new.ids.tolist()}
        for synapse, parent in zip(table["id"].tolist(), table["parent"].tolist(), strict=True):
            assert now[synapse] == (steps[synapse] if synapse < old.next_id else steps[parent] if parent >= 0 else Counter())
        assert edit.lost.get(name, 0) == sum(steps[synapse].total() for synapse in steps if synapse not in now)
