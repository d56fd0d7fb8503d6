"""Phases of development as they are often told, each a plain list of rules to be read, edited and combined.

``print(phase)`` shows the rules; ``dataclasses.replace(phase, rules=[*phase.rules, mine])`` makes another phase of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurosim.distributions import Uniform
from neurosim.lifecycle.apoptosis import Apoptosis
from neurosim.lifecycle.chance import Outlived
from neurosim.lifecycle.criteria import Above, RateBelow, WeightBelow
from neurosim.lifecycle.division import Division
from neurosim.lifecycle.element_wiring import ElementWiring
from neurosim.lifecycle.elements import AxonalElements, DendriticElements
from neurosim.lifecycle.energy import ENERGY, Energy
from neurosim.lifecycle.growth import Growth, Total
from neurosim.lifecycle.growth_curves import LinearGrowth
from neurosim.lifecycle.neurogenesis import Neurogenesis
from neurosim.lifecycle.phases import Phase
from neurosim.lifecycle.rewiring import Rewiring
from neurosim.lifecycle.schedules import Schedule
from neurosim.lifecycle.selection import Everyone
from neurosim.lifecycle.supply import Supply
from neurosim.lifecycle.traits import Calcium, Value
from neurosim.projection import Projection
from neurosim.units import Quantity

JITTER = 0.15  # of the weights of twins, without which they would stay alike


def proliferation(population: str, epochs: int, until: int, hazard: Quantity, who: Any = Everyone()) -> Phase:
    """Return a phase in which cells divide with a hazard (1/time) until there are so many.

    The number grows exponentially, as that of founder cells by symmetric divisions (Rakic 1995, Trends Neurosci 18:383-388, PMID
    7482803). But here connected cells divide, with their synapses: an operator of growth, not a model of mitosis.
    """
    return Phase("proliferation", epochs, [Division(population, who, hazard=hazard, until=until, jitter=JITTER)])


def synaptogenesis(projection: Projection, epochs: int, target: Quantity, speed: Quantity, calcium: Calcium = Calcium()) -> Phase:
    """Return a phase in which synapses grow while cells fire below a target (Hz) and are given up above it.

    Each cell grows axonal and dendritic elements at up to `speed` (1/time), in proportion to what its `calcium` lacks, and vacant ones
    pair at random (Butz & van Ooyen 2013, doi:10.1371/journal.pcbi.1003259, with linear growth). How many synapses there come to
    be is nowhere prescribed. As calcium follows activity late, growth that is fast against it overshoots, the more the faster it is, and
    what is too much goes again (Ju, Colbert & Levy 2017, doi:10.1371/journal.pcbi.1005750, on adaptive synaptogenesis). With a rate
    that rises by g with each synapse of a cell, elements follow a damped oscillation with the damping ratio sqrt(target/(speed g tau))/2,
    tau being the time constant of calcium: they overshoot where that is below 1.
    Raises TypeError for a projection's name.
    """
    if not isinstance(projection, Projection):
        raise TypeError(f"synaptogenesis needs a projection, not {projection!r}; give the one that ns.connect returned, or circuit[name]")
    curve, name = LinearGrowth(speed, target), projection.name
    axonal = AxonalElements(projection.source, f"{name}_axonal", curve, [name], calcium)
    dendritic = DendriticElements(projection.target, f"{name}_dendritic", curve, [name], calcium)
    return Phase("synaptogenesis", epochs, [ElementWiring([axonal], [dendritic], label=f"elements.{name}")])


def critical_period(projections: Sequence[str], epochs: int, learning: float = 1.0) -> Phase:
    """Return a phase in which projections learn, their factor `learning` being at this value, and structure rests.

    Plasticity is open in a window of development and closed before and after (Hensch 2005, doi:10.1038/nrn1787): that it is low
    elsewhere is for the models' own factor, or for the other phases, to say. Raises TypeError for one name in place of a list, ValueError for a
    factor with which nothing would be learned.
    """
    if not np.any(np.asarray(learning) > 0):
        raise ValueError(
            f"a critical period with a learning of {learning!r} would leave every weight as it is; give a factor above 0, or ns.Phase(...)"
        )
    return Phase("critical period", epochs, modulate=_learning(projections, learning))


def pruning(projection: str, epochs: int, hazard: Any, weak: float = 0.1, population: str | None = None, idle: float = 0.4) -> Phase:
    """Return a phase in which synapses that learning left weak go with a hazard (1/time), and idle cells of a population die.

    Weak are those below `weak` times the largest incoming weight of their target cell, idle the cells of `population` (None: none) at
    less than `idle` times its mean rate. `hazard` may be an ns.pruning_schedule: cortex prunes fast at first (Navlakha et al. 2015,
    doi:10.1371/journal.pcbi.1004347). In human frontal cortex the density of synapses at 1 to 2 years is 50 % above that of adults, so
    that a third of the peak goes, until the age of 16 (Huttenlocher 1979, doi:10.1016/0006-8993(79)90349-4).
    """
    rules: list[Any] = [Rewiring(projection, prune=WeightBelow(weak), hazard=hazard)]
    if population is not None:
        rules.append(Apoptosis(population, RateBelow(idle), floor=1))
    return Phase("pruning", epochs, rules)


def adulthood(projection: str, epochs: int, turnover: Quantity, weight: Any = 0.05, learning: float = 0.05) -> Phase:
    """Return a phase of balanced turnover: each synapse goes with a hazard (1/time), and as many grow elsewhere; little is learned.

    New synapses have `weight` (as Rewiring takes it), and the projection the factor `learning`, which its model needs to have. In adult
    cortex spines and boutons come and go in balance while most stay (Holtmaat & Svoboda 2009, doi:10.1038/nrn2699).
    """
    rewiring = Rewiring(projection, prune=Everyone(), hazard=turnover, regrow=Growth(Total()), weight=weight)
    return Phase("adulthood", epochs, [rewiring], modulate=_learning([projection], learning))


def metabolism(population: str, epochs: int, epoch: Quantity, size: int, lifetime: Any = Uniform(50, 101), even: float = 0.0) -> Phase:
    """Return a phase of turnover: cells age, are fed for what they do, spend, starve, divide when they are rich, and new ones immigrate.

    The unit of energy is what a cell spends in an `epoch` in any case. Cells begin with 10 and spend 0.1 a spike and 1e-5 for each spike that
    reaches them; the population is supplied with 1.4 an epoch for each of `size` cells, by ns.Supply: in proportion to spikes, but for the
    part `even`. A cell dies when nothing is left or its `lifetime` in epochs is over (50 to 100 whole ones), and divides above 20, which
    costs 5; in every second epoch a new cell comes, which has no synapses before a rule of synaptogenesis, or wiring, gives it some. At
    `size` births stop, and a quarter of it survives age. The lifetimes, the first energy, the cost of a division and the immigration are
    those of the program Raphael (2024, github.com/HypnosCicero/Raphael), which has no income; the rest is chosen.
    """
    energy, born = Value(ENERGY), Schedule([1 - number % 2 for number in range(epochs)])
    costs = {"per_time": 1 / epoch, "per_spike": 0.1, "per_event": 1e-5}
    return Phase("turnover", epochs, [
        Energy(population, Supply(1.4 * size / epoch, even), first=10.0, cost=5.0, costs=costs),
        Apoptosis(population, ~Above(energy, 0.0), label="hunger"),
        Apoptosis(population, Outlived(lifetime), floor=size // 4, label="age"),
        Division(population, Above(energy, 20.0), until=size, jitter=JITTER),
        Neurogenesis(population, count=born, until=size),
    ])  # fmt: skip


def _learning(projections: Sequence[str], factor: float) -> dict[str, float]:
    if isinstance(projections, str):
        raise TypeError(f"projections that learn are {projections!r}; give a list of names, [{projections!r}]")
    return {f"{name}.learning": factor for name in projections}
