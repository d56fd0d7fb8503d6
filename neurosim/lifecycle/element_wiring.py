"""What: the rule by which synapses form between vacant synaptic elements and break where their elements are lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosim.conduction import Conduction, check_placed
from neurosim.distributions import draw
from neurosim.events import Events
from neurosim.lifecycle.element_pairing import Wires, paired
from neurosim.lifecycle.elements import AxonalElements, DendriticElements, ElementBook, Elements
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.where import check_where, likelihood_of, listed
from neurosim.models import psp
from neurosim.projection import Recipe, check_delays, check_values
from neurosim.units import quantity, second
from neurosim.wiring import DistanceKernel

TRIED = 16  # values of a distribution that are looked at before anything runs


@dataclass(frozen=True)
class ElementWiring:
    """Rewire projections by synaptic elements, of which each synapse binds an axonal and a dendritic one.

    At each boundary cells that have more synapses than whole elements lose as many as are too many, chosen at random, first those with
    too few axonal, then those with too few dendritic elements. Then the vacant elements of both sides pair at random, as many as there
    are on the scarcer side. Projections that share a pool are wired together: each pool of axonal elements needs a projection to each
    pool of dendritic elements that it shares one with, directly or through others.

    New synapses have `weight` and `delay` (quantities or distributions; None: as the projection was connected with). `where` gives pairs
    a likelihood of binding, from 0 to 1: None (all bind), a DistanceKernel, Correlated or one's own, or a list of these, which
    multiply. A pair of a cell with itself does not bind unless `autapses`; two cells may be joined by any number of synapses, or by
    `contacts` at most. Elements of pairs that do not bind stay vacant until the next boundary.

    Raises ValueError for pools that do not fit together. Butz and van Ooyen (2013), doi:10.1371/journal.pcbi.1003259. The order is that
    of NEST, where elements pair so too, wherever the cells are; but NEST 3.10 takes at most one element from a cell that has too
    few, and the others of that surplus bind again at once.
    """

    axonal: Sequence[AxonalElements]
    dendritic: Sequence[DendriticElements]
    weight: Any = None
    delay: Any = None
    where: Any = None
    autapses: bool = False
    contacts: int | None = None
    label: str | None = None

    def __post_init__(self):
        for side in ("axonal", "dendritic"):
            pools = getattr(self, side)
            object.__setattr__(self, side, (pools,) if isinstance(pools, Elements) else tuple(pools))
        if checked_by_epoch(self):
            return
        for side, kind in (("axonal", AxonalElements), ("dendritic", DendriticElements)):
            pools = getattr(self, side)
            if not pools or not all(isinstance(pool, kind) for pool in pools):
                raise TypeError(f"{side} elements of an ElementWiring are {pools!r}; give a list of ns.{kind.__name__}(...)")
        _check_names(self.pools)
        _check_calcium(self.pools)
        object.__setattr__(self, "_groups", _grouped(self.pools))
        for one in listed(self.where):
            if isinstance(one, DistanceKernel) and (one.contacts != 1 or one.autapses):
                raise ValueError(f"{one!r} has contacts or autapses of its own; give the ElementWiring contacts=... or autapses=...")
            if not isinstance(one, DistanceKernel) and not hasattr(one, "likelihood"):
                raise TypeError(f"where of an ElementWiring holds {one!r}; give ns.DistanceKernel or ns.Correlated")
        if self.contacts is not None and (isinstance(self.contacts, bool) or self.contacts != int(self.contacts) or self.contacts < 1):
            raise ValueError(f"an ElementWiring is to join two cells by {self.contacts!r} contacts at most; give a whole number, 1 or more")

    @property
    def pools(self) -> tuple[Elements, ...]:
        """The pools of elements, axonal ones first."""
        return (*self.axonal, *self.dendritic)

    @property
    def projections(self) -> list[str]:
        """The projections that are wired."""
        return [name for pool in self.axonal for name in pool.projections]

    @property
    def books(self) -> tuple:
        """The books of calcium and of the elements, for each population."""
        pools = self.pools
        named = {pool.population: tuple(one for one in pools if one.population == pool.population) for pool in pools}
        calcium = [book for pool in pools for book in pool.calcium.books(pool.population)]
        return (*(book for place, book in enumerate(calcium) if book not in calcium[:place]), *map(ElementBook, named.values()))

    def check(self, circuit) -> None:
        """Raise ValueError or TypeError where pools do not fit the circuit, or weights and delays not a projection."""
        for pool in self.pools:
            pool.check(circuit)
        for name in self.projections:
            projection, what = circuit[name], f"new synapses of {name!r}"
            check_where(listed(self.where), circuit, projection)
            recipe = self._recipe(projection)
            if isinstance(recipe.delay, Conduction):
                for end in (projection.source, projection.target):
                    check_placed(circuit[end], f"delay of {what}")
                recipe = replace(recipe, delay=recipe.delay.grid)
            weight, delay = _drawn(projection, recipe, TRIED, np.random.default_rng(0))
            check_values(circuit[projection.source], projection.receptor, projection.synapse, weight, delay, what)
            if circuit.dt_si is not None:
                check_delays(delay, circuit.dt_si, what)

    def __call__(self, circuit, recording, rng) -> Events:
        wires = Wires(circuit)
        events = Events()
        for pool in self.pools:
            events += wires.prune(pool, rng)
        for axonal, dendritic, joined in self._groups:
            vacant = ([wires.vacant(pool) for pool in side] for side in (axonal, dendritic))
            (pre_pool, pre), (post_pool, post) = paired(*vacant, rng)
            for (one, other), name in joined.items():
                pairs = (pre_pool == one) & (post_pool == other)
                likelihood, _ = likelihood_of(listed(self.where), circuit, recording, circuit[name])
                events += self._linked(wires, name, (pre[pairs], post[pairs]), likelihood, rng)
        return events

    def _linked(self, wires: Wires, name: str, pairs, likelihood: Callable | None, rng) -> Events:
        """Return the links of a projection between paired cells (rows), but for pairs that may not be joined or do not bind."""
        circuit, projection = wires.circuit, wires.circuit[name]
        source, target = circuit[projection.source], circuit[projection.target]
        pre, post = pairs
        allowed = np.ones(len(pre), dtype=bool) if self.autapses or source is not target else pre != post
        if likelihood is not None:
            allowed &= rng.random(len(pre)) < likelihood(pre, post)
        pre, post = pre[allowed], post[allowed]
        if self.contacts is not None:
            allowed = wires.within(name, source.ids[pre], target.ids[post], self.contacts)
            pre, post = pre[allowed], post[allowed]
        recipe = self._recipe(projection).between(
            source.cells["position"][pre], target.cells["position"][post], f"new synapses of {name!r}"
        )
        return Events.link(name, source.ids[pre], target.ids[post], *_drawn(projection, recipe, len(pre), rng))

    def _recipe(self, projection) -> Recipe:
        """Return how new synapses of a projection are made: as this rule says, or else as those that it was connected with."""
        values = {}
        for part in ("weight", "delay"):
            own = getattr(self, part)
            values[part] = getattr(projection.recipe, part) if own is None else own
            if values[part] is None:
                raise ValueError(f"projection {projection.name!r} has one {part} for each synapse; give the ElementWiring a {part}=...")
        if isinstance(values["weight"], psp):
            values["weight"] = values["weight"].weight(projection.receptor, f"weight of new synapses of {projection.name!r}")
        return replace(projection.recipe, **values)


def _drawn(projection, recipe: Recipe, size: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and delays of new synapses."""
    units = {"weight": quantity(1.0, projection.receptor.dimensions), "delay": second}
    return tuple(
        draw(getattr(recipe, part), size, rng, unit, f"{part} of new synapses of {projection.name!r}") for part, unit in units.items()
    )


def _grouped(pools) -> list[tuple[list, list, dict]]:
    """Return the groups of pools that projections join: axonal ones, dendritic ones, and the projection from each to each.

    The projections are found by the places of the pools in those lists. Raises ValueError where there is none, or several.
    """
    left, groups = list(pools), []
    while left:
        group, names = [left[0]], set(left[0].projections)
        while (wider := [pool for pool in pools if names & set(pool.projections)]) != group:
            group, names = wider, {name for pool in wider for name in pool.projections}
        axonal, dendritic = ([pool for pool in group if isinstance(pool, kind)] for kind in (AxonalElements, DendriticElements))
        joined = {(a, d): _joining(one, other) for a, one in enumerate(axonal) for d, other in enumerate(dendritic)}
        for name in names - set(joined.values()):
            raise ValueError(f"only one side of projection {name!r} has elements in this ElementWiring; add those of the other side")
        groups.append((axonal, dendritic, joined))
        left = [pool for pool in left if pool not in group]
    return groups


def _joining(axonal: AxonalElements, dendritic: DendriticElements) -> str:
    """Return the one projection that binds elements of both pools."""
    names = [name for name in axonal.projections if name in dendritic.projections]
    if len(names) != 1:
        found = f"the projections {', '.join(names)}" if names else "no projection"
        raise ValueError(f"{axonal} and {dendritic} are paired, but share {found}; give them one, or wire them by rules of their own")
    return names[0]


def _check_names(pools) -> None:
    """Raise ValueError where pools have the same name in a population, or two pools of a kind the same projection."""
    for kind, found in (
        ("name", [(pool.population, pool.name) for pool in pools]),
        ("end", [(pool.end, name) for pool in pools for name in pool.projections]),
    ):
        twice = [one for place, one in enumerate(found) if one in found[:place]]
        if twice and kind == "name":
            raise ValueError(f"two pools of synaptic elements of {twice[0][0]!r} are called {twice[0][1]!r}; give each its own name")
        if twice:
            side = "axonal" if twice[0][0] == "pre" else "dendritic"
            raise ValueError(f"projection {twice[0][1]!r} binds {side} elements of two pools; give it to one of them")


def _check_calcium(pools) -> None:
    """Raise ValueError where two pools of a population follow one ledger of calcium with different time constants."""
    taus = {}
    for pool in pools:
        tau = taus.setdefault((pool.population, pool.calcium.ledger), pool.calcium.tau)
        if tau != pool.calcium.tau:
            raise ValueError(
                f"{pool} follow calcium with tau = {pool.calcium.tau} and others {tau}; give ns.Calcium another ledger for one of them"
            )
