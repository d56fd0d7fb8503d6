"""What a whole model must satisfy before anything is simulated with it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.expressions import TEXT_ERRORS, evaluate, execute, names_in, statements
from neurosim.models.energy import check_costs
from neurosim.models.extension import line_text
from neurosim.models.homeostasis import KINDS, check_homeostasis
from neurosim.models.parts import CONTINUOUS, RECEPTOR_KINDS, Model, Names, Receptor, SpikeRule
from neurosim.models.post import POTENTIALS, check_post, texts_of
from neurosim.models.scope import Equation, Scope, refuse_reserved, unsolvable
from neurosim.units import DIMENSIONLESS, Dimension, Hz, amp, get_dimensions, metre, second, siemens, unit_name, volt

CLOCK_DRIVEN = "exponential_euler"  # how the (clock-driven) equations of synapses are solved
METHODS = ("exact", "exponential_euler", "euler", "sequential_euler", "rk2", "rk4")
# states and amounts over many orders of magnitude: a clip or a saturation acts on some of them
_PROBES = (-1e6, -7.3, -0.06, 0.0, 0.002, 2.7, 1e6)


def read_spike_rule(table: Mapping[str, str], where: str) -> SpikeRule:
    """Read the table `spike` of a cell; raises ValueError where rule and keys do not belong together."""
    rule, own = table["rule"], {"reset", "refractory"}
    if rule not in ("refractory", "crossing"):
        raise ValueError(f"{where}: [spike] rule is '{rule}'.{near(rule, ('refractory', 'crossing'))}")
    for key in sorted(own & set(table) if rule == "crossing" else own - set(table)):
        if rule == "crossing":
            raise ValueError(f'{where}: [spike] {key} does not go with rule = "crossing"; leave it out, or use rule = "refractory".')
        raise ValueError(f'{where}: [spike] lacks the key \'{key}\' of rule = "refractory"; add it, or use rule = "crossing".')
    return SpikeRule(rule, table["threshold"], table.get("reset", ""), table.get("refractory", ""), table.get("on_spike", ""))


def read_receptors(tables: Mapping[str, Any], lines: Mapping[str, Equation], where: str) -> dict[str, Receptor]:
    """Read the table `receptors` of a cell, without strengths yet; raises ValueError naming receptor and key."""
    state = {name: line.dimensions for name, line in lines.items() if line.kind != "subexpression"}
    receptors = {}
    for name, entry in tables.items():
        at = f"{where}: [receptors] {name}"
        kind = entry.get("kind", "jump")
        if kind not in RECEPTOR_KINDS:
            raise ValueError(f"{at}: kind is {kind!r}.{near(str(kind), RECEPTOR_KINDS)}")
        sign = entry.get("sign")
        if sign not in (None, "excitatory", "inhibitory"):
            raise ValueError(f"{at}: sign is {sign!r}.{near(str(sign), ('excitatory', 'inhibitory'))}")
        refuse_reserved(name, at)
        if kind in CONTINUOUS:
            for key in sorted({"variable", "effect", "unitary", "sign"} & set(entry)):
                raise ValueError(f'{at}: {key} does not go with kind = "{kind}"; leave it out.')
            if name in lines:
                raise ValueError(f"{at} is in the equations too; a {kind} is given by the inputs, remove its equation.")
            receptors[name] = Receptor(name, kind, None, "", True, None, CONTINUOUS[kind], sign, entry["meaning"])
            continue
        variable = entry.get("variable", name)
        if variable not in state:
            raise ValueError(f"{at}: '{variable}' is not a state variable.{near(variable, state)}")
        effect = entry.get("effect", f"{variable}_post += amount")
        receptors[name] = Receptor(name, kind, variable, effect, False, None, state[variable], sign, entry["meaning"])
    return receptors


def check_cell(model: Any, where: str) -> dict[str, Receptor]:
    """Check names, units and statements of a cell; returns its receptors with strength and additivity."""
    if model.method not in METHODS:
        raise ValueError(f"{where}: method is '{model.method}'.{near(model.method, METHODS)}")
    if reason := unsolvable(model.equations, model.method):
        raise ValueError(f'{where}: method is \'{model.method}\', {reason}; give "rk2" or "rk4".')
    if model.variables.get("v") is not volt.dim:
        raise ValueError(f"{where}: equations have no membrane potential; every cell has a state variable v in volt.")
    area = {**model.parameters, **model.per_cell}.get("area")
    if area is None or area.dimensions is not (metre**2).dim:
        raise ValueError(
            f'{where}: [parameters] has no membrane area; every cell has an area, such as area = {{ value = "20000*um**2", ... }}.'
        )
    scope = _scope(model, where)
    _check_lines(model, scope)
    check_divisors(model, where)
    scope.check_condition(model.spike.threshold, "[spike] threshold")
    scope.check_block(model.spike.reset, model.variables, "[spike] reset")
    scope.check_block(model.spike.on_spike, {*model.variables} - {"v"}, "[spike] on_spike")
    if model.spike.rule == "refractory":
        scope.check(model.spike.refractory, second.dim, "[spike] refractory")
    scope.extended(N=DIMENSIONLESS).check_block(model.on_presentation, model.variables, "[on] presentation")
    check_costs(model.energy, scope)
    used = {name for line in model.lines.values() for name in _read_by(line.expression)}
    for name in model.continuous:
        if name not in used:
            kind = model.receptors[name].kind
            raise ValueError(f"{where}: [receptors] {name} is a {kind} that no equation uses; add it to dv/dt, or leave it out.")
    entries = model.tables["receptors"]
    return {
        name: receptor if receptor.continuous else _completed(receptor, model, entries[name], scope)
        for name, receptor in model.receptors.items()
    }


def check_synapse(model: Any, where: str) -> None:
    """Check names, units and statements of a synapse, for some unit of the weight."""
    weight_like = {name for name, parameter in model.parameters.items() if parameter.weight_like}
    check_homeostasis(model, where)
    if model.bounds is not None and (len(model.bounds) != 2 or not weight_like.issuperset(model.bounds)):
        raise ValueError(f'{where}: bounds is {list(model.bounds)}; name two parameters with dimension = "weight".')
    for name, line in model.lines.items():
        if line.kind == "differential" and len(line.flags) != 1:
            raise ValueError(f"{where}: equation of '{name}' does not say how it is updated; end it with (event-driven) or (clock-driven).")
        if "event-driven" in line.flags and (read := sorted(_of_cells(line.expression))):
            raise ValueError(f"{where}: equation of '{name}' reads {read[0]}, which changes between spikes; make it (clock-driven).")
    driven = clock_driven(model)
    if driven and (reason := unsolvable(driven, CLOCK_DRIVEN)):
        raise ValueError(f"{where}: equations are (clock-driven), {reason}; write what is not as statements of on_step.")
    if not any(line.operator == "()" for line in _read_block(model.on_pre, f"{where}: on_pre")):
        raise ValueError(f"{where}: on_pre delivers nothing; add a line such as deliver(weight).")
    given = {model.parameters[name].dimensions for name in weight_like} - {None}
    if len(given) > 1:
        units = ", ".join(
            f"{name} in {unit_name(model.parameters[name].dimensions)}"
            for name in sorted(weight_like)
            if model.parameters[name].dimensions is not None
        )
        raise ValueError(f"{where}: parameters of the weight have different units ({units}); give all of them in that of the receptor.")
    failures = []
    for dimensions in given or (siemens.dim, volt.dim, amp.dim, DIMENSIONLESS):
        try:
            check_statements(model, dimensions, where)
            break
        except ValueError as error:
            failures.append(error)
    else:
        raise failures[0]
    check_divisors(model, where)


def check_statements(model: Any, weight: Dimension, where: str) -> None:
    """Check equations and statements of a synapse whose weight has the given dimensions; raises ValueError."""
    scope = _scope(model, where, weight)
    check_post(model.post, scope.without([*model.shared, *model.variables, *model.subexpressions]), where)
    cells = {**POTENTIALS, **model.post.read}
    for name in sorted(model.reads - set(cells)):
        raise ValueError(f"{where}: '{name}' is not defined; of cells are read {', '.join(cells)}, others are declared in [post].")
    _check_lines(model, scope.extended(**cells))
    targets = {*model.variables, "weight"}
    scope = scope.extended(weight=weight)
    scope.check_block(model.on_presentation, targets, "[on] presentation")
    scope = scope.extended(**cells, **({"use": Hz.dim} if model.counts_use else {}))
    scope.check_block(model.on_pre, targets, "on_pre", deliver=weight)
    scope.check_block(model.on_post, targets, "on_post")
    scope.extended(dt=second.dim).check_block(model.on_step, targets, "on_step")


def clock_driven(model: Any) -> str:
    """Return the equations of a synapse that every time step solves, as one text."""
    lines = {name: line for name, line in model.lines.items() if "clock-driven" in line.flags or line.kind == "subexpression"}
    if not any(line.kind == "differential" for line in lines.values()):
        return ""
    return "\n".join(line_text(name, dataclasses.replace(line, flags=())) for name, line in lines.items())


def cell_names(model: Any) -> frozenset[str]:
    """Return the names by which a synapse reads variables of its cells."""
    own = {*model.parameters, *model.variables, *model.shared, *model.subexpressions}
    texts = [line.expression for line in model.lines.values()]
    texts += [line.expression for block in (model.on_pre, model.on_post, model.on_step) for line in statements(block)]
    return frozenset({name for text in texts for name in _of_cells(text)} - own)


def _of_cells(text: str) -> set[str]:
    return {name for name in _read_by(text) if name.endswith(("_pre", "_post"))}


def delivers_linearly(model: Any) -> bool:
    """Tell whether what a synapse delivers is proportional to its weight, by trying weights of many sizes."""
    # a parameter without a value yet stands for any number
    given = {**dict.fromkeys(model.missing(), 1.0), **model.si_namespace()}
    texts = {name: line.expression for name, line in model.lines.items() if line.kind == "subexpression"}

    def delivered(weight: float, state: float) -> float:
        """Sum what one presynaptic spike delivers, all state variables being equal to `state`."""
        names = Names({**given, **dict.fromkeys((*model.variables, *model.reads, "use"), state), "weight": weight}, texts)
        amount = 0.0
        for line in statements(model.on_pre):
            if line.operator == "()":
                amount += float(evaluate(line.expression, names))
            else:
                names.known[line.target] = evaluate(line.result, names)
        return amount

    return all(_proportional(lambda weight: delivered(weight, state), 0.0) for state in (0.3, 1.7))


def refuse_unused(model: Model, where: str) -> None:
    """Raise ValueError for a parameter that nothing in the model uses."""
    texts = [line.expression for line in model.lines.values()] + list(model.initial.values())
    blocks = [model.on_presentation]
    if model.kind == "cell" and not model.source:
        texts += [model.spike.threshold, model.spike.refractory]
        blocks += [model.spike.reset, model.spike.on_spike, *(receptor.effect for receptor in model.receptors.values())]
    elif model.kind == "synapse":
        texts += texts_of(model.post)
        blocks += [model.on_pre, model.on_post, model.on_step]
    used = {name for text in texts for name in _read_by(text)}
    used |= {name for block in blocks for line in statements(block) for name in names_in(line.expression)}
    # every cell has an area, and what normalise needs waits for it
    for name in sorted({*model.parameters, *model.shared} - used - {"area", *(one for known, _ in KINDS.values() for one in known)}):
        raise ValueError(f"{where}: parameter '{name}' is never used; use it or remove it.")


def _scope(model: Model, where: str, weight: Dimension | None = None) -> Scope:
    constants = {name: p.dimensions if p.dimensions is not None else weight for name, p in model.parameters.items()}
    currents = model.continuous if model.kind == "cell" else {}
    shared = dict.fromkeys(model.shared, DIMENSIONLESS)
    for name in currents:
        if name in constants or name in shared:
            raise ValueError(f"{where}: [receptors] {name} is a parameter too; rename one of them.")
    return Scope(where, constants, {**shared, **currents, **model.variables, **model.subexpressions})


def check_divisors(model: Model, where: str) -> None:
    """Raise ValueError for a parameter that is a time below 0, or 0 where an equation or statement divides by it."""
    for name, parameter in model.parameters.items():
        if parameter.value is not None:
            check_divisor(model, name, parameter.dimensions, parameter.value, f"{where}: parameter '{name}'")


def check_divisor(model: Model, name: str, dimensions: Dimension | None, values: Any, what: str) -> None:
    """Raise ValueError for values (SI) of a parameter that are times below 0, or 0 where an equation or statement divides by it."""
    if dimensions is second.dim and np.min(values) < 0:
        raise ValueError(f"{what} is {np.min(values) * second}; a time is not negative.")
    if np.any(np.asarray(values) == 0) and any(re.search(rf"/\s*{name}\b", text) for text in _divided(model)):
        if dimensions is second.dim:
            raise ValueError(f"{what} is {0 * second} and equations divide by it; give a time above 0.")
        raise ValueError(f"{what} is 0 and equations divide by it; give another value.")


def _divided(model: Model) -> list[str]:
    texts = [line.expression for line in model.lines.values()]
    if model.kind == "synapse":
        texts += texts_of(model.post)
        texts += [line.expression for block in (model.on_pre, model.on_post, model.on_step) for line in _read_block(block, "")]
    return texts


def _check_lines(model: Model, scope: Scope) -> None:
    for name, line in model.lines.items():
        if line.kind == "differential":
            scope.check(line.expression, line.dimensions / second.dim, f"equation of d{name}/dt")
        elif line.kind == "subexpression":
            scope.check(line.expression, line.dimensions, f"equation of '{name}'")
    order = list(model.initial)
    for position, (name, text) in enumerate(model.initial.items()):
        later = [*order[position:], *(model.continuous if model.kind == "cell" else ())]
        scope.without(later).check(text, model.variables[name], f"[initial] {name}")
    try:
        values = model.initial_values()
    except NameError as error:
        raise ValueError(
            f"{scope.where}: [initial] needs what is not known yet ({error}); each state variable may need only those above it."
        ) from None
    except TEXT_ERRORS as error:
        raise ValueError(f"{scope.where}: [initial] cannot be worked out: {error}.") from None
    for name, value in values.items():
        if not np.isfinite(value):
            raise ValueError(f"{scope.where}: [initial] {name} is {value}; give a finite value.")


def _completed(receptor: Receptor, model: Any, entry: Mapping[str, Any], scope: Scope) -> Receptor:
    what = f"[receptors] {receptor.name}"
    target = f"{receptor.variable}_post"
    inside = scope.without([*model.variables, *model.subexpressions, *model.continuous])
    inside = inside.extended(amount=receptor.dimensions, **{f"{name}_post": dimensions for name, dimensions in model.variables.items()})
    alike = [f"{name}_post" for name, dimensions in model.variables.items() if dimensions is receptor.dimensions]
    changed = [line.target for line in inside.check_block(receptor.effect, alike, f"{what}: effect")]
    if target not in changed or len(changed) > len(set(changed)):
        raise ValueError(
            f"{scope.where}: {what}: effect '{receptor.effect}' has {len(changed)} statements; write one that changes {target}, and no more "
            "than one for each other variable with its unit."
        )
    unitary = None
    if "unitary" in entry:
        try:
            value = evaluate(str(entry["unitary"]), model.names({}))
        except TEXT_ERRORS as error:
            raise ValueError(f"{scope.where}: {what}: unitary: {error}") from None
        if get_dimensions(value) is not receptor.dimensions or not 0 < float(value) < np.inf:
            raise ValueError(
                f"{scope.where}: {what}: unitary is {entry['unitary']!r}; give a positive number in {unit_name(receptor.dimensions)}."
            )
        unitary = float(value)
    return dataclasses.replace(receptor, additive=_is_additive(receptor, model), unitary=unitary)


def _is_additive(receptor: Receptor, model: Any) -> bool:
    constants = model.si_namespace()

    def increment(target: str, state: float, amount: float) -> float:
        names = {**constants, **{f"{name}_post": state for name in model.variables}, "amount": amount}
        return execute(receptor.effect, names)[target] - state

    def adds(target: str) -> bool:
        slopes = {round(float(increment(target, state, 1.0)), 6) for state in _PROBES}
        return len(slopes) == 1 and all(_proportional(lambda amount: increment(target, state, amount), state) for state in _PROBES)

    return all(adds(line.target) for line in statements(receptor.effect))


def _proportional(function: Callable[[float], float], offset: float) -> bool:
    """Tell whether function(x) = k x over the probes, within the rounding that an offset of the given size causes."""
    slope = function(1.0)
    with np.errstate(all="ignore"):
        return all(abs(function(x) - slope * x) <= 1e-9 * (abs(offset) + abs(slope * x) + 1e-3) for x in _PROBES)


def _read_by(text: str) -> Iterable[str]:
    return names_in(text) if text.strip() else ()


def _read_block(block: str, where: str) -> Iterable[Any]:
    try:
        return statements(block)
    except (NameError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
