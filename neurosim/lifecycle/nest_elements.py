"""Synaptic elements as NEST describes them, in its own names and units, turned into ours.

NEST counts time in ms, calcium in increments of `beta_Ca` a spike, and the decay of vacant elements as a fraction per update.
"""

import math
from collections.abc import Mapping
from typing import Any

from neurosim.errors import near
from neurosim.lifecycle.element_wiring import ElementWiring
from neurosim.lifecycle.elements import AxonalElements, DendriticElements
from neurosim.lifecycle.growth_curves import GaussianGrowth, GrowthCurve, LinearGrowth, SigmoidGrowth
from neurosim.lifecycle.traits import Calcium
from neurosim.units import Hz, ms, second

# What NEST 3.10 takes where a dictionary says nothing.
NEURON = {"beta_Ca": 0.001, "tau_Ca": 10_000.0}
ELEMENT = {"growth_curve": "linear", "growth_rate": 1.0, "eps": 0.7, "tau_vacant": 0.1, "z": 0.0, "continuous": False}
CURVES = {"linear": {}, "gaussian": {"eta": 0.1}, "sigmoid": {"psi": 0.1}}
SYNAPSE = ("synapse_model", "pre_synaptic_element", "post_synaptic_element")


def elements_from_nest(
    neurons: Mapping[str, Mapping[str, Any]],
    synapses: Mapping[str, Mapping[str, str]],
    interval: float,
    names: Mapping[tuple[str, str, str], str] | None = None,
) -> ElementWiring:
    """Return the rule that NEST's dictionaries of structural plasticity describe.

    `neurons` has for each of our populations what NEST's neurons have of `synaptic_elements`, `beta_Ca` and `tau_Ca`; `synapses` is
    NEST's ``structural_plasticity_synapses`` and `interval` its ``structural_plasticity_update_interval``, in ms, which is to be the
    epoch of the life. A projection from each population that has the one element to each that has the other is called
    "source_to_target", or as `names` has it by (synapse, source, target); it has to be in the circuit, with the weight and the delay that NEST's
    synapse model has. What is left out is what it is by default in NEST 3.10; weights, delays and whether a cell may join
    itself (NEST's default: no) are not read. Set-points become rates, eps / (beta_Ca * tau_Ca), and the fraction
    `tau_vacant` of the vacant elements that decays at an update becomes the hazard -log(1 - tau_vacant) / interval. Raises ValueError
    for an unknown key, growth curve or element, and for `continuous` elements, of which ours have none.
    """
    if not 0 < interval < math.inf:
        raise ValueError(f"an update interval of NEST is {interval!r} ms; give a number above 0")
    used = _uses(neurons, synapses, names or {})
    for population, element in used:
        if len(used[population, element]) > 1:
            raise ValueError(f"element {element!r} of {population!r} is both pre- and postsynaptic; give each side its own element")
    pools = {"pre": [], "post": []}
    for population, neuron in neurons.items():
        neuron = _known(neuron, {**NEURON, "synaptic_elements": {}}, f"neurons of {population!r}")
        for name, element in neuron["synaptic_elements"].items():
            what = f"element {name!r} of {population!r}"
            if (population, name) not in used:
                raise ValueError(f"{what} is in no synapse of structural_plasticity_synapses; leave it out, or add one")
            ((end, projections),) = used[population, name].items()
            pools[end].append(_pool(population, name, element, neuron, interval, end, projections, what))
    return ElementWiring(pools["pre"], pools["post"])


def _uses(neurons, synapses, names) -> dict[tuple[str, str], dict[str, list[str]]]:
    """Return the projections in which each element of a population is used, by its end of them."""
    used: dict = {}
    for key, synapse in synapses.items():
        unknown = [word for word in synapse if word not in SYNAPSE]
        missing = [word for word in SYNAPSE[1:] if word not in synapse]
        if unknown or missing:
            raise ValueError(
                f"synapse {key!r} of NEST {'has' if unknown else 'lacks'} {(unknown + missing)[0]!r}; give {', '.join(SYNAPSE)}"
            )
        ends = []
        for word in SYNAPSE[1:]:
            having = [name for name, neuron in neurons.items() if synapse[word] in neuron.get("synaptic_elements", {})]
            if not having:
                known = {name for neuron in neurons.values() for name in neuron.get("synaptic_elements", {})}
                raise ValueError(f"synapse {key!r} joins {synapse[word]!r}, an element that no neurons have.{near(synapse[word], known)}")
            ends.append(having)
        for source in ends[0]:
            for target in ends[1]:
                projection = names.get((key, source, target), f"{source}_to_{target}")
                for end, population, word in (("pre", source, SYNAPSE[1]), ("post", target, SYNAPSE[2])):
                    used.setdefault((population, synapse[word]), {}).setdefault(end, []).append(projection)
    return used


def _pool(population, name, element, neuron, interval, end, projections, what):
    curve = element.get("growth_curve", ELEMENT["growth_curve"])
    if curve not in CURVES:
        raise ValueError(f"{what} has the growth curve {curve!r}.{near(str(curve), CURVES)}")
    element = _known(element, {**ELEMENT, **CURVES[curve]}, what)
    if element["continuous"]:
        raise ValueError(f'{what} is continuous, but only whole elements bind; give "continuous": False')
    if not 0 <= element["tau_vacant"] <= 1:
        raise ValueError(f"tau_vacant of {what} is {element['tau_vacant']!r}, a fraction per update; give a number from 0 to 1")
    left = 1 - element["tau_vacant"]
    return {"pre": AxonalElements, "post": DendriticElements}[end](
        population,
        name,
        _curve(curve, element, 1000 * Hz / (neuron["beta_Ca"] * neuron["tau_Ca"])),
        projections,
        calcium=Calcium(neuron["tau_Ca"] * ms),
        vacancy=(math.inf if left == 0 else -math.log(left) / (interval / 1000)) / second,
        first=element["z"],
    )


def _curve(curve: str, element, unit) -> GrowthCurve:
    """Return a growth curve; `unit` is the rate at which calcium is 1 on the average."""
    rate, target = element["growth_rate"] / ms, element["eps"] * unit
    if curve == "linear":
        return LinearGrowth(rate, target)
    if curve == "gaussian":
        return GaussianGrowth(rate, target, element["eta"] * unit)
    return SigmoidGrowth(rate, target, element["psi"] * unit)


def _known(given: Mapping, defaults: Mapping, what: str) -> dict:
    """Return values with those by default; raise ValueError for one that has no default and so is unknown."""
    for key in given:
        if key not in defaults:
            raise ValueError(f"{what} of NEST has {key!r}, which is not read here.{near(key, defaults)}")
    return {**defaults, **given}
