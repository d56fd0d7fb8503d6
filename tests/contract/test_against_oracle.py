"""Random lives of small networks against the event-by-event oracle: equal spikes, v within 1e-9 mV, equal weights, same structure.

The oracle gets the same parameters, the noise worked out cell by cell from (seed, name, id, step), and the same events in its own
terms: of a division only the shares are read from neurosim.
"""

from collections import Counter

import numpy as np
import pytest
from circuits import DT, NUMPY, build, drive, each_cell_on, run, spikes, tampered
from oracle import Cell, Oracle

import neurosim as ns
from neurosim.randomness import normal, poisson

CONDUCTANCE, ADAPTIVE = SIDES = "leaky_conductance", "leaky_adaptive_threshold"


class Twin:
    """An oracle that lives the same life as a circuit."""

    def __init__(self, circuit, inputs):
        self.kind = circuit["exc"].model.name
        self.sources = [one.bind(circuit, DT, 0, 0) for one in inputs]
        self.heir_of = {}  # daughter -> mother, for the drive of the step before the division
        self.oracle = Oracle(DT, {cell: self._cell(circuit, row) for row, cell in enumerate(circuit["exc"].ids.tolist())})
        self.names, self.learning = {}, {}  # (projection, id) -> id in the oracle; projection -> its learning rule
        for name, projection in circuit.projections.items():
            learning = {}
            if projection.synapse.bounds:
                known = {key: parameter.value for key, parameter in projection.synapse.parameters.items()}
                learning = {key: known[key] for key in ("w_max", "A_plus", "A_minus", "tau_plus", "tau_minus")}
            self.learning[name] = learning
            for row, synapse in enumerate(projection.ids.tolist()):
                self.names[name, synapse] = self._link(projection, row)
        for bound in self.sources:
            if bound.kind == "noise":
                self.noise = dict(zip(circuit["exc"].ids.tolist(), bound.values["mean"].tolist(), strict=True))

    def _cell(self, circuit, row):
        known = {key: parameter.value for key, parameter in circuit["exc"].model.parameters.items()}
        state = {name: float(circuit["exc"].cells[name][row]) for name in circuit["exc"].model.variables}
        if self.kind == CONDUCTANCE:
            parameters = ("E_L", "V_th", "V_reset", "C_m", "g_L", "tau_ref", "E_exc", "tau_exc", "E_inh", "tau_inh")
            return Cell(**state, **{key: known[key] for key in parameters})
        # tau_m dv/dt = E_L - v + I_e tau_m/C_m: the capacitance stands for the time constant
        self.current = known["tau_m"] / known["C_m"]
        return Cell(
            **state, **{key: known[key] for key in ("E_L", "V_th", "V_reset", "tau_ref", "theta_plus")}, C_m=known["tau_m"], g_L=1.0
        )

    def _link(self, projection, row):
        synapse = {key: values[row].item() for key, values in projection.synapses.items()}
        delay = round(synapse["delay"] / DT)
        return self.oracle.link(
            synapse["pre"],
            synapse["post"],
            synapse["weight"],
            delay,
            share=synapse["share"],
            receptor=projection.receptor.name,
            projection=projection.name,
            **self.learning[projection.name],
        )

    def run(self, steps):
        """Run on, with the noise of all cells and steps drawn beforehand."""
        here = range(self.oracle.step, self.oracle.step + steps)
        draws = {bound.name: self._draws(bound, here) for bound in self.sources}
        spikes = set(self.oracle.run(steps, lambda step: self._drive(step, {name: values[step] for name, values in draws.items()})))
        self.heir_of = {}
        return spikes

    def _draws(self, bound, steps):
        """Give for each step what each cell draws: a normal number, or the Poisson spikes that neurosim adds at the end of the step before."""
        cells = np.array(list(self.oracle.cells))
        if bound.kind == "noise":
            return dict(zip(steps, normal(bound.key, cells, np.array(steps)[:, None]).tolist(), strict=True))
        mean = bound.values["mean"][0]
        counts = poisson(bound.key, cells, np.array(steps)[:, None] - 1, mean, np.exp(-mean))
        mothers = np.array([self.heir_of.get(cell, cell) for cell in cells.tolist()])
        counts[0] = poisson(bound.key, mothers, steps[0] - 1, mean, np.exp(-mean)) if steps[0] else 0
        return dict(zip(steps, counts.tolist(), strict=True))

    def _drive(self, step, draws):
        given = []
        for bound in self.sources:
            values = {key: value[0].item() for key, value in bound.values.items()}
            for cell, draw in zip(list(self.oracle.cells), draws[bound.name], strict=True):
                if bound.kind == "noise":
                    self.noise[cell] = values["mean"] + (self.noise[cell] - values["mean"]) * values["decay"] + values["kick"] * draw
                    self.oracle.cells[cell].I_e = self.noise[cell] * (self.current if self.kind == ADAPTIVE else 1.0)
                elif draw:
                    given.append((cell, bound.receptor, draw * values["weight"]))
        return given

    def potentials(self, circuit):
        """Return v of each cell as neurosim has it: after the Poisson spikes of the last step."""
        v = {cell: (state.v, state.refractory) for cell, state in self.oracle.cells.items()}
        waiting = Counter()
        for bound in self.sources:
            if bound.kind == "poisson" and bound.receptor == "v":
                step = self.oracle.step
                for cell, count in zip(v, self._draws(bound, [step])[step], strict=True):
                    waiting[cell] += count * bound.values["weight"][0] * (not v[cell][1])
        return np.array([v[cell][0] + waiting[cell] for cell in circuit["exc"].ids.tolist()])

    def live_through(self, before, after, events):
        """Carry out a boundary: the deaths, unlinks, divisions and links that were proposed."""
        lost = Counter()
        for cell in events.of("death", "exc")["cell"].tolist():
            before_it = self.flying()
            self.oracle.kill(cell)
            lost.update(before_it - self.flying())
        for name in before.projections:
            for synapse in events.of("unlink", name)["synapse"].tolist():
                lost[name] += self.oracle.unlink(self.names[name, synapse])
        mothers = events.of("division", "exc")["mother"].tolist()
        daughters = dict(zip(mothers, range(len(before["exc"].parents), len(after["exc"].parents)), strict=True))
        part = {}
        for name, projection in before.projections.items():
            for synapse, share in zip(projection.ids.tolist(), projection.synapses["share"].tolist(), strict=True):
                rows = np.flatnonzero(after[name].ids == synapse)
                if len(rows):
                    part[self.names[name, synapse]] = after[name].synapses["share"][rows[0]] / share
        self.oracle.divide_many(daughters, part.get)
        self.heir_of = {daughter: mother for mother, daughter in daughters.items()}
        self.noise |= {daughter: self.noise[mother] for mother, daughter in daughters.items()}
        for name, projection in after.projections.items():
            self._name_newcomers(name, before[name], projection)
        return lost

    def flying(self):
        """Count the spikes in flight of each projection."""
        return Counter(synapse.projection for synapse in self.oracle.synapses.values() for _ in synapse.flight)

    def _name_newcomers(self, name, before, projection):
        """Match copies by what they descend from and whom they join; the rest are links."""
        copies = {(s.parent, s.pre, s.post): s.id for s in self.oracle.synapses.values() if s.parent is not None}
        for row in np.flatnonzero(projection.ids >= before.next_id):
            parent, pre, post = (int(projection.synapses[key][row]) for key in ("parent", "pre", "post"))
            self.names[name, int(projection.ids[row])] = (
                self._link(projection, row) if parent < 0 else copies[self.names[name, parent], pre, post]
            )


def same(circuit, twin):
    """Compare cells, synapses and spikes in flight of a circuit and its twin."""
    assert sorted(circuit["exc"].ids.tolist()) == sorted(twin.oracle.cells)
    np.testing.assert_allclose(circuit["exc"].cells["v"], twin.potentials(circuit), rtol=0, atol=1e-12)
    assert sum(len(p) for p in circuit.projections.values()) == len(twin.oracle.synapses)
    for name, projection in circuit.projections.items():
        table = projection.synapses
        theirs = [twin.oracle.synapses[twin.names[name, synapse]] for synapse in table["id"].tolist()]
        assert [(s.pre, s.post) for s in theirs] == list(zip(table["pre"].tolist(), table["post"].tolist(), strict=True))
        np.testing.assert_array_equal([s.delay_steps for s in theirs], np.round(table["delay"] / DT))
        np.testing.assert_allclose(table["share"], [s.share for s in theirs], rtol=1e-14)
        np.testing.assert_allclose(table["weight"], [s.weight for s in theirs], rtol=1e-12)
        ours = Counter(zip(projection.flight["synapse"].tolist(), projection.flight["step"].tolist(), strict=True))
        assert ours == Counter((synapse, step) for synapse, s in zip(table["id"].tolist(), theirs, strict=True) for step in s.flight)


def happenings(circuit, rng):
    """Propose a few events of each kind, none in conflict with another."""
    cells = rng.permutation(circuit["exc"].ids)
    dead, mothers = cells[:2], cells[2:5]
    events = ns.Events.kill("exc", dead) + ns.Events.divide("exc", mothers, rng=rng, share=(0.2, 0.9))
    for name, projection in circuit.projections.items():
        table = projection.synapses
        free = table["id"][~np.isin(table["pre"], dead) & ~np.isin(table["post"], dead)]
        events += ns.Events.unlink(name, rng.choice(free, 4, replace=False))
        ends = rng.choice(cells[2:], (2, 6))
        weight = rng.uniform(0, 1, 6) * np.abs(table["weight"]).max() * np.sign(table["weight"][0])
        events += ns.Events.link(name, *ends, weight, rng.integers(0, 51, 6) * DT)
    return events


def life(kind, seed, backend, epochs, spoil=lambda circuit: circuit):
    """Run a circuit and its twin through boundaries, on an engine that stays, and return the numbers of spikes and of those lost."""
    with backend.opened() as running:
        return lived(kind, seed, running, epochs, spoil)


def lived(kind, seed, running, epochs, spoil):
    circuit, inputs = build(kind, seed=seed), drive(kind)
    twin, rng, count, losses = Twin(circuit, inputs), np.random.default_rng(seed), 0, 0
    for steps in epochs:
        circuit, recording = run(circuit, steps, inputs, running)
        assert spikes(recording) == twin.run(steps)
        count += len(spikes(recording))
        same(circuit, twin)
        events = happenings(circuit, rng)
        edit = ns.plan(circuit, events)
        after = spoil(running.carry_out(edit))
        lost = twin.live_through(circuit, after, events)
        assert {name: edit.lost[name] for name in edit.lost} == {name: lost[name] for name in edit.lost}
        losses += sum(lost.values())
        circuit = after
        same(circuit, twin)
    return count, losses


@pytest.mark.parametrize("seed", [1, 2])
@each_cell_on("cython", "library", "fast", cells=SIDES)
def test_random_lives(cell, seed, backend):
    count, losses = life(cell, seed, backend, [333, 400, 251, 16, 500])
    assert count > 100 and losses > 3


@pytest.mark.parametrize("cell", SIDES)
def test_random_lives_on_numpy(cell):
    count, losses = life(cell, 4, NUMPY, [333, 61, 250])
    assert count > 50 and losses > 1


def wrong_weights(circuit):
    return tampered(circuit, "plastic", weight=circuit["plastic"].synapses["weight"] * (1 - 1e-6))


def early(circuit):
    flight = circuit["fixed"].flight
    return tampered(circuit, "fixed", flight=flight.replace(step=np.maximum(flight["step"] - 1, circuit.step)))


def shifted(circuit):
    return tampered(circuit, "exc", v=circuit["exc"].cells["v"] + 1e-9)


@pytest.mark.parametrize("spoil", [wrong_weights, early, shifted])
@each_cell_on("cython", "library", cells=SIDES)
def test_control_small_damage_is_seen(cell, spoil, backend):
    with pytest.raises(AssertionError):
        life(cell, 1, backend, [333, 400], spoil)
