"""Which cells the rules of a life leave without inputs."""

import warnings
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from neurosim.lifecycle.growth import Growth
from neurosim.lifecycle.phases import innermost
from neurosim.lifecycle.rewiring import Rewiring
from neurosim.lifecycle.where import Permitted, listed

TOLD = 5  # ids that a warning names


def tell_unreached(circuit, rules: Sequence[Any]) -> None:
    """Warn of cells that have no synapse, and that no rule of a life permits one, where rules let synapses grow between permitted pairs only.

    `rules` are those of all phases, as they are in each epoch.
    """
    grown: dict[str, list] = {}
    for rule in innermost(rules):
        if isinstance(rule, Rewiring) and rule.regrow is not None and rule.projection in circuit.projections:
            grown.setdefault(circuit.projections[rule.projection].target, []).append(rule)
    for name, growing in grown.items():
        permissions = [_permissions(rule.regrow) for rule in growing]
        if not all(permissions):
            continue  # a rule that lets them grow anywhere reaches all
        population = circuit.populations[name]
        reached = np.zeros(len(population), dtype=bool)
        for projection in circuit.projections.values():
            if projection.target == name:
                reached[population.rows(projection.synapses["post"])] = True
        for rule, several in zip(growing, permissions, strict=True):
            source = circuit.populations[circuit.projections[rule.projection].source]
            pairs = reduce(np.intersect1d, [one.rows(source, population) for one in several])
            pre, post = np.divmod(pairs, max(1, len(population)))
            reached[post[(pre != post) | (source is not population)]] = True
        without = population.ids[~reached]
        if len(without):
            told = ", ".join(map(str, without[:TOLD].tolist())) + (", ..." if len(without) > TOLD else "")
            warnings.warn(
                f"cells of {name!r} (ids {told}) have no synapse, and the rules of all phases permit them none: no other cell will "
                "ever drive them; permit each of them an input",
                stacklevel=2,
            )


def _permissions(growth) -> list[Permitted]:
    return [one for one in listed(growth.where) if isinstance(one, Permitted)] if isinstance(growth, Growth) else []
