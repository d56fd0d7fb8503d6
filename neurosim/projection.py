"""Projections: the synapses from one population to another, with weights, delays, shares and spikes in flight."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurosim.conduction import delays
from neurosim.distributions import draw
from neurosim.errors import near
from neurosim.expressions import names_in, statements
from neurosim.ledger import Ledger
from neurosim.models import Receptor, SynapseModel, load_synapse, psp
from neurosim.population import NEVER, Population, check_name
from neurosim.randomness import generator
from neurosim.table import Table
from neurosim.units import Quantity, quantity, second
from neurosim.wiring import Side, Wiring

NEWBORN = ("split", "copy", "wire", "partition")


@dataclass(frozen=True)
class Recipe:
    """Say how a projection was made, so that ``newborn="wire"`` can make it again for newborn cells.

    `weight` and `delay` are quantities or distributions, the delay also a conduction, None where they were given one by one.
    """

    wiring: Any
    weight: Any
    delay: Any

    def between(self, pre: np.ndarray, post: np.ndarray, what: str) -> "Recipe":
        """Return the recipe for synapses between positions (m, one row each): with a delay for each, where a conduction gives them."""
        return replace(self, delay=delays(self.delay, pre, post, what))


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """Hold the synapses between two populations at one moment.

    `synapses` has one row a synapse: id, parent (the synapse it was copied from, -1), pre and post (cell ids), weight
    (SI units of the receptor), delay (s), share (what divisions left of it, and hand-overs added: share * weight is delivered), since (s: when
    it was made; NEVER in no circuit yet), counted (spikes that pre had emitted by then), the state of the synapse model and,
    once cells are frozen, frozen (1 where the weight stays). `flight` has one row for each spike under way: synapse (id) and step (time step of arrival), in
    order of delivery. `newborn` says what a newborn cell gets: "split" (incoming synapses copied, outgoing ones shared
    between the twins), "partition" (the same, but each incoming synapse goes to one of the twins), "copy" (outgoing weights copied)
    or "wire" (the wiring is applied to the newborn). `ledgers` describe the columns that rules keep.
    """

    name: str
    source: str
    target: str
    synapse: SynapseModel
    receptor: Receptor
    newborn: str
    recipe: Recipe
    synapses: Table
    flight: Table
    next_id: int
    shared: Mapping[str, float]
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.synapses)

    def __repr__(self) -> str:
        arrow = f"{self.source} -> {self.target}.{self.receptor.name}"
        return f"<Projection {self.name!r}: {len(self)} synapses of {self.synapse.name!r}, {arrow}, newborn={self.newborn!r}>"

    @property
    def ids(self) -> np.ndarray:
        """The permanent ids of the synapses, in order."""
        return self.synapses["id"]

    @property
    def weight(self) -> Quantity:
        """The plastic weights, whole: what is delivered is share * weight."""
        return quantity(self.synapses["weight"], self.receptor.dimensions)

    @property
    def delivered(self) -> Quantity:
        """What one spike delivers at each synapse: share * weight."""
        return quantity(self.synapses["share"] * self.synapses["weight"], self.receptor.dimensions)

    @property
    def delay(self) -> Quantity:
        """The delay of each synapse."""
        return quantity(self.synapses["delay"], second.dim)

    def rows(self, ids) -> np.ndarray:
        """Return the rows of the synapses with these ids; raise KeyError for one that is gone or unknown."""
        return self.synapses.find(ids, f"projection {self.name!r}")

    def replace(self, *, name: str | None = None, newborn: str | None = None) -> "Projection":
        """Return the projection under another name or with another policy for newborn cells.

        Raises ValueError for a bad name, an unknown policy, or "wire" where the wiring, weights or delays were given
        one by one and so cannot be made again.
        """
        changes = {}
        if name is not None:
            check_name(name, "projection")
            changes["name"] = name
        if newborn is not None:
            if newborn not in NEWBORN:
                raise ValueError(f"projection {self.name!r} got newborn={newborn!r}; give one of {', '.join(NEWBORN)}")
            if newborn == "wire":
                self._check_repeatable()
            changes["newborn"] = newborn
        return replace(self, **changes)

    def set(self, **state) -> "Projection":
        """Return the projection with other weights or other values of the synapse's state variables."""
        columns = {}
        for name, value in state.items():
            known = {"weight": self.receptor.dimensions, **self.synapse.variables} | {
                key: one.dimensions for key, one in self.ledgers.items()
            }
            if name not in known:
                raise KeyError(f"projection {self.name!r} has no state variable {name!r}.{near(name, known)}")
            what = f"{name} of projection {self.name!r}"
            columns[name] = draw(value, len(self), None, quantity(1.0, known[name]), what)
        return replace(self, synapses=self.synapses.replace(**columns))

    @property
    def unsplittable(self) -> str | None:
        """The reason why a division cannot share outgoing weights between the twins; None where it can."""
        if not self.receptor.additive:
            return f"the effect of receptor {self.receptor.name!r} is not additive in the weight"
        if not self.synapse.linear:
            return f"synapse model {self.synapse.name!r} does not deliver in proportion to the weight"
        return None

    def check_divisible(self, what: str, remedy: str = "") -> None:
        """Raise ValueError where parts of a weight do not deliver parts of its effect; `what` begins the sentence."""
        if self.unsplittable:
            raise ValueError(f"{what} projection {self.name!r}, because {self.unsplittable}{remedy}")

    def check_split(self) -> None:
        """Raise ValueError where a division of its source cells cannot share the synapses between twins, as this projection wants."""
        if self.newborn in ("split", "partition"):
            remedy = "; use .replace(newborn='copy') or .replace(newborn='wire')"
            self.check_divisible(f"a division in {self.source!r} cannot split", remedy)

    def check_grid(self, dt: float) -> None:
        """Raise ValueError where a delay is no whole multiple of a time step (in seconds); looked at once for a table."""
        if self.synapses.grid != dt:
            check_delays(self.synapses["delay"], dt, f"projection {self.name!r}")
            self.synapses.grid = dt

    def _check_repeatable(self) -> None:
        for part, value in (("weight", self.recipe.weight), ("delay", self.recipe.delay)):
            if value is None:
                raise ValueError(
                    f"projection {self.name!r} has one {part} for each synapse, so newborn='wire' cannot make more; "
                    f"give {part} as one quantity or a distribution"
                )
        if not self.recipe.wiring.repeatable:
            raise ValueError(
                f"projection {self.name!r} is wired by {type(self.recipe.wiring).__name__}, which says nothing about "
                "newborn cells; use newborn='split' or 'copy'"
            )


def connect(
    source: Population, target: Population, synapse: SynapseModel | str, wiring, *, receptor: str, weight, delay=0 * second, seed: int = 0
) -> Projection:
    """Connect two populations by synapses of one model.

    `wiring` is one of the wirings (AllToAll, FixedProbability ...), `receptor` a receptor of the target's model,
    `weight` and `delay` each a quantity, an array of quantities (one a synapse, by pre then post) or a distribution
    drawn with `seed`; a weight may also be a psp, a delay a Conduction. The projection is called "source_to_target" and splits outgoing weights at a division;
    ``.replace(name=..., newborn=...)`` changes either. Raises ValueError for an unknown receptor, a weight out of bounds
    or against the declared sign of the source, a negative delay or a parameter left open; TypeError for a wrong dimension.
    """
    for side in (source, target):
        if not isinstance(side, Population):
            raise TypeError(f"connect joins populations, not {side!r}; give what ns.create returned")
    if not isinstance(wiring, Wiring):
        raise TypeError(f"{wiring!r} is no wiring; give one such as ns.AllToAll() or ns.FixedProbability(0.1)")
    synapse = synapse if isinstance(synapse, SynapseModel) else load_synapse(synapse)
    name = f"{source.name}_to_{target.name}"
    if receptor not in target.model.receptors:
        raise ValueError(
            f"population {target.name!r} ({target.model.name}) has no receptor {receptor!r}.{near(receptor, target.model.receptors)}"
        )
    slot = target.model.receptors[receptor]
    if slot.kind != "jump":
        raise ValueError(f"receptor {receptor!r} of {target.model.name!r} takes a continuous {slot.kind}, not spikes; give it an input")
    if synapse.missing():
        raise ValueError(
            f"synapse model {synapse.name!r} leaves {', '.join(synapse.missing())} open; "
            f"give it with load_synapse({synapse.name!r}).replace({synapse.missing()[0]}=...)"
        )
    synapse.check_weight(slot.dimensions)
    synapse.check_cells(source.model, target.model, f"projection {name!r}")
    _check_refractory(source, target, slot, synapse, f"projection {name!r}")
    _check_sign_holds(source, slot, synapse, f"projection {name!r}")
    if isinstance(weight, psp):
        weight = weight.weight(slot, f"weight of projection {name!r}")
    rng = generator(seed, f"connect/{name}")
    if hasattr(wiring, "order"):  # pairs are sorted, so values given one by one must follow them
        weight, delay = (value[wiring.order] if np.ndim(value) else value for value in (weight, delay))
    pre, post = wiring.pairs(_side(source), _side(target), source.name == target.name, rng)
    recipe = Recipe(wiring, weight, delay).between(source.cells["position"][pre], target.cells["position"][post], f"projection {name!r}")
    columns = new_synapses(source, slot, synapse, recipe, source.ids[pre], target.ids[post], rng, f"projection {name!r}")
    columns = {"id": np.arange(len(pre)), "parent": np.full(len(pre), -1), **columns}
    recipe = Recipe(wiring, *(None if np.ndim(value) else value for value in (weight, delay)))
    flight = Table({"synapse": np.empty(0, np.int64), "step": np.empty(0, np.int64)})
    return Projection(
        name, source.name, target.name, synapse, slot, "split", recipe, Table(columns), flight, len(pre), dict(synapse.shared)
    )


def new_synapses(source, receptor, synapse, recipe, pre, post, rng, what) -> dict[str, np.ndarray]:
    """Make the columns of new synapses between given cells: weights, delays and the model's first state."""
    size = len(pre)
    unit = quantity(1.0, receptor.dimensions)
    weight = draw(recipe.weight, size, rng, unit, f"weight of {what}")
    delay = draw(recipe.delay, size, rng, second, f"delay of {what}")
    check_values(source, receptor, synapse, weight, delay, what)
    return first_columns(synapse, pre, post, weight, delay)


def first_columns(synapse, pre, post, weight, delay, now: float = NEVER, counted=0) -> dict[str, np.ndarray]:
    """Return the columns of synapses that are made `now` (s), when their presynaptic cells have emitted `counted` spikes."""
    size = len(pre)
    columns = {"pre": pre, "post": post, "weight": weight, "delay": delay, "share": np.ones(size), "since": np.full(size, now)}
    columns["counted"] = np.broadcast_to(np.asarray(counted, dtype=np.int64), size)
    columns |= {name: np.full(size, value) for name, value in synapse.initial_values().items()}
    if synapse.remembers:
        columns["lastupdate"] = np.full(size, now)
    return columns


def check_delays(delay: np.ndarray, dt: float, what: str) -> None:
    """Raise ValueError for delays (in seconds) that are not whole multiples of the time step."""
    off = np.abs(delay - np.round(delay / dt) * dt) > 1e-6 * dt
    if off.any():
        raise ValueError(
            f"a delay of {what} is {delay[off][0] * 1e3:g} ms, not 0 or a whole multiple of dt = {dt * 1e3:g} ms; "
            "round the delays or lower dt"
        )


def check_values(source, receptor, synapse, weight, delay, what) -> None:
    """Raise ValueError for weights out of bounds or against the source's sign, and for negative delays."""
    if not np.isfinite(weight).all():
        raise ValueError(f"weight of {what} is {weight[~np.isfinite(weight)][0]}; give finite numbers")
    if not np.isfinite(delay).all():
        raise ValueError(f"delay of {what} is {delay[~np.isfinite(delay)][0]} s; give finite times")
    if (delay < 0).any():
        raise ValueError(f"delay of {what} is {delay.min() * 1e3:g} ms; a delay is 0 or more")
    if synapse.bounds and len(weight):
        low, high = (synapse.parameters[key].value for key in synapse.bounds)
        if weight.min() < low or weight.max() > high:
            unit = quantity(1.0, receptor.dimensions)
            raise ValueError(
                f"weight of {what} runs from {weight.min() * unit} to {weight.max() * unit}, outside the bounds "
                f"{low * unit} to {high * unit} of synapse model {synapse.name!r}; change the weight or {synapse.bounds[1]}"
            )
    if source.sign and receptor.sign and len(weight):
        effective = weight if receptor.sign == "excitatory" else -weight
        wrong = effective.min() < 0 if source.sign == "excitatory" else effective.max() > 0
        if wrong:
            raise ValueError(
                f"{what} would make the {source.sign} population {source.name!r} act against its sign through the "
                f"{receptor.sign} receptor {receptor.name!r}; use another receptor, a weight of the other sign, or leave sign undeclared"
            )


def _check_sign_holds(source: Population, receptor: Receptor, synapse: SynapseModel, what: str) -> None:
    """Raise ValueError where learning could turn the declared sign of a population."""
    if not (source.sign and receptor.sign and synapse.plastic):
        return
    bounds = [synapse.parameters[key].value for key in synapse.bounds] if synapse.bounds else [-np.inf, np.inf]
    low, high = bounds if source.sign == receptor.sign else (-bounds[1], -bounds[0])
    if low < 0:
        has = f"bounds that reach {low * quantity(1.0, receptor.dimensions)}" if np.isfinite(low) else "no bounds"
        raise ValueError(
            f"{what} could turn the sign of the {source.sign} population {source.name!r}: weights of synapse model {synapse.name!r} change "
            f"and have {has}; give bounds on one side of 0, or leave sign undeclared"
        )


def _check_refractory(source: Population, target: Population, receptor: Receptor, synapse: SynapseModel, what: str) -> None:
    """Raise ValueError where Brian2 would look at the refractoriness of the wrong side.

    What holds still while a cell is refractory is written only while it is not: where statements also read such a variable of the
    presynaptic cell, Brian2 2.9 takes that cell's refractoriness for both, or breaks off.
    """
    held = {f"{name}_{end}" for end, one in (("pre", source), ("post", target)) for name in _held(one)}
    read = {name for line in statements(synapse.on_pre) for name in names_in(line.expression)}
    written = {line.target for line in statements(receptor.effect)}
    for name in sorted(held & read):
        if name.endswith("_pre") and held & written:
            raise ValueError(
                f"{what}: on_pre of synapse model {synapse.name!r} reads {name}, and receptor {receptor.name!r} changes "
                f"{sorted(held & written)[0]}, both of which hold still in refractory cells; read it in on_step, or use a receptor that "
                "changes a conductance"
            )


def _held(population: Population) -> list[str]:
    return [name for name, line in population.model.lines.items() if "unless refractory" in line.flags]


def _side(population: Population) -> Side:
    position = population.cells["position"]
    return Side(len(population), None if np.isnan(position).all() else position)
