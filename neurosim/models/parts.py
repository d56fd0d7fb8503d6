"""What cell and synapse models have in common: parameters with their origin, names with their values, one specification."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from neurosim.errors import near
from neurosim.expressions import LOCK, TEXT_ERRORS, evaluate, parse_unit_text, unit_among
from neurosim.models.scope import Equation, refuse_reserved
from neurosim.units import DIMENSIONLESS, Dimension, Quantity, amp, get_dimensions, quantity, siemens, to_si, unit_name, volt

CONTINUOUS = {"current": amp.dim, "conductance": siemens.dim}
RECEPTOR_KINDS = ("jump", *CONTINUOUS)


@dataclass(frozen=True)
class Parameter:
    """A constant of a model: its SI value (None: not given yet), its dimensions (None: those of the weight) and its origin.

    `weight_like` parameters have the dimensions of the weight, whatever those are.
    """

    value: float | None
    dimensions: Dimension | None
    meaning: str
    source: str
    text: str
    weight_like: bool = False

    @property
    def quantity(self) -> Any:
        """The value with its unit; a plain float where it has none."""
        return self.value if self.dimensions in (None, DIMENSIONLESS) else quantity(self.value, self.dimensions)


@dataclass(frozen=True)
class Receptor:
    """Where a synapse or an input acts on a cell.

    A "jump" carries out `effect` on arrival of `amount`; a "current" or a "conductance" is given continuously. `unitary` is the SI amount that moves
    the cell at rest by 1 mV; `additive` says that each arrival adds a multiple of its amount, whatever the state is. `sign` is what a
    positive amount does: "excitatory", "inhibitory", or None where it may be either.
    """

    name: str
    kind: str
    variable: str | None
    effect: str
    additive: bool
    unitary: float | None
    dimensions: Dimension
    sign: str | None
    meaning: str

    @property
    def continuous(self) -> bool:
        """Whether it takes a current or conductance in every time step, not spikes."""
        return self.kind in CONTINUOUS


@dataclass(frozen=True)
class psp:
    """Give a weight by the potential that one spike causes in a cell at rest: ``weight=ns.psp(0.5 * mV)``.

    `amplitude` is the size of the peak, in volt, above 0; it is turned into a multiple of the receptor's unitary strength, which is
    exact for small potentials. Raises TypeError for another dimension and ValueError for an amplitude that is not above 0.
    """

    amplitude: Any

    def __post_init__(self):
        amplitude = to_si(self.amplitude, volt, "the amplitude of a psp")
        if not isinstance(amplitude, float) or not 0 < amplitude < math.inf:
            raise ValueError(f"the amplitude of a psp is {self.amplitude}; give one finite potential above 0, such as 0.5*mV")

    def weight(self, receptor: Receptor, what: str) -> Quantity:
        """Return the weight for one receptor; raise ValueError where its model file gives no unitary strength."""
        if receptor.unitary is None:
            raise ValueError(f"{what} is given as a psp, but receptor {receptor.name!r} has no unitary strength; give the weight itself")
        return quantity(float(self.amplitude) / 1e-3 * receptor.unitary, receptor.dimensions)


@dataclass(frozen=True)
class SpikeRule:
    """When a cell spikes: "refractory" (threshold, reset, refractory time) or "crossing" (the upward crossing of a condition).

    `on_spike` are statements of what a cell only keeps of its spikes, with either rule.
    """

    rule: str
    threshold: str
    reset: str = ""
    refractory: str = ""
    on_spike: str = ""


class Names(Mapping):
    """Names of a model with their values; a subexpression is worked out when it is asked for."""

    def __init__(self, values: Mapping[str, Any], subexpressions: Mapping[str, str]):
        self.known = dict(values)
        self.subexpressions = subexpressions

    def __getitem__(self, name: str) -> Any:
        if name in self.known:
            return self.known[name]
        if name in self.subexpressions:
            return evaluate(self.subexpressions[name], self)
        return unit_among(name, self.known.values())

    def __iter__(self) -> Iterator[str]:
        return iter({**self.known, **self.subexpressions})

    def __len__(self) -> int:
        return len({**self.known, **self.subexpressions})


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """What a cell model and a synapse model share; equal where their specifications are."""

    name: str
    summary: str
    references: tuple[str, ...]
    equations: str
    parameters: Mapping[str, Parameter]
    shared: Mapping[str, float]
    initial: Mapping[str, str]
    on_presentation: str
    lines: Mapping[str, Equation]
    tables: Mapping[str, Any]

    kind: ClassVar[str]
    texts: ClassVar[tuple[str, ...]] = ("name", "on_presentation")

    @classmethod
    def from_specification(cls, specification: Mapping[str, Any], where: str | None = None) -> Self:
        """Build a model from its complete specification; `where` names the origin in errors."""
        tables = {key: value for key, value in specification.items() if key != "kind"}
        if specification.get("kind", cls.kind) != cls.kind:
            raise ValueError(f"The specification of '{tables.get('name')}' is of a {specification['kind']}, not of a {cls.kind}.")
        if isinstance(tables.get("initial"), list):
            tables["initial"] = dict(tables["initial"])
        with LOCK:
            return cls._build(tables, where or f"{cls.kind} model '{tables.get('name')}'")

    def specification(self) -> dict[str, Any]:
        """Return everything that the model is made of, as JSON-able tables."""
        tables = {**self.tables, "kind": self.kind}
        if "initial" in tables:
            tables["initial"] = [list(pair) for pair in tables["initial"].items()]
        return json.loads(json.dumps(tables))

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the specification, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.specification(), sort_keys=True).encode()).hexdigest()

    def __repr__(self) -> str:
        state = f", state: {' '.join(self.initial)}" if self.initial else ""
        return f"<{type(self).__name__} {self.name!r}{state}>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.specification() == other.specification()

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self):
        return type(self).from_specification, (self.specification(),)

    @property
    def variables(self) -> dict[str, Dimension]:
        """The state variables with their dimensions, in the order in which they are initialised."""
        return {name: self.lines[name].dimensions for name in self.initial}

    @property
    def subexpressions(self) -> dict[str, Dimension]:
        """The quantities that equations derive from the state, with their dimensions."""
        return {name: line.dimensions for name, line in self.lines.items() if line.kind == "subexpression"}

    def initial_values(self, given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Return the SI value of each state variable at birth: a float, or an array where it follows from arrays that are `given`."""
        return self._initial(given) if given else dict(self._initial_values)

    @cached_property
    def _initial_values(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._initial({}).items()}

    def _initial(self, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
        names = self.names({})
        for name, text in self.initial.items():
            names.known[name] = given[name] if name in given else evaluate(text, names)
        return {name: np.asarray(names.known[name], dtype=float) for name in self.initial}

    def names(self, state: Mapping[str, Any]) -> Names:
        """Return the values of parameters, of a given state (quantities) and of what the equations derive from them."""
        texts = {name: line.expression for name, line in self.lines.items() if line.kind == "subexpression"}
        return Names({**self.namespace(), **self.shared, **state}, texts)

    def namespace(self, weight: Dimension | None = None) -> dict[str, Any]:
        """Return the parameters that have a value, as quantities (plain floats where they have no unit).

        `weight` gives their dimensions to those that have the weight's.
        """
        return {
            name: parameter.value if dimensions in (None, DIMENSIONLESS) else quantity(parameter.value, dimensions)
            for name, parameter in self.parameters.items()
            if parameter.value is not None
            for dimensions in [weight if parameter.dimensions is None else parameter.dimensions]
        }

    def si_namespace(self) -> dict[str, float]:
        """Return parameters that have a value, and shared factors, as plain SI numbers."""
        known = {name: parameter.value for name, parameter in self.parameters.items() if parameter.value is not None}
        return {**known, **self.shared}

    def replace(self, **changes: Any) -> Self:
        """Return the model with other parameters, or another `name`, `on_presentation`, (cells) `method` or (synapses) `normalise`.

        Raises ValueError for a name that the model lacks and TypeError for a quantity of the wrong dimension.
        """
        tables = {**self.tables, "parameters": dict(self.tables.get("parameters", {})), "shared": dict(self.tables.get("shared", {}))}
        for name, value in changes.items():
            if name in self.texts:
                _replace_text(tables, name, value)
            elif name in self.parameters or name in self.shared:
                table = "parameters" if name in self.parameters else "shared"
                tables[table][name] = {**tables[table][name], "value": self._text_of(name, value)}
            else:
                options = [*self.parameters, *self.shared, *self.texts]
                raise ValueError(f"{self.kind} model '{self.name}' has no parameter '{name}'.{near(name, options)}")
        for table in ("parameters", "shared"):
            if not tables[table]:
                del tables[table]
        with LOCK:
            return type(self)._build(tables, f"{self.kind} model '{tables['name']}'")

    def _text_of(self, name: str, value: Any) -> str | float:
        what = f"parameter '{name}' of {self.kind} model '{self.name}'"
        old = self.parameters.get(name)
        if isinstance(value, psp):
            raise TypeError(f"{what} is given as a psp, but it belongs to no receptor; give the quantity itself.")
        if old is None:
            dimensions = DIMENSIONLESS
        else:
            dimensions = get_dimensions(value) if old.weight_like else old.dimensions
        number = to_si(value, dimensions, what)
        if not isinstance(number, float):
            raise ValueError(f"{what} is an array; a model has one value for all cells or synapses, give a single quantity.")
        if dimensions is not DIMENSIONLESS:
            return f"{number!r}*{unit_name(dimensions)}"
        return number if math.isfinite(number) else repr(number)


def _replace_text(tables: dict[str, Any], name: str, value: str | None) -> None:
    needed = name in ("name", "method")
    if not isinstance(value, str) and (value is not None or needed):
        raise TypeError(f"{name} is {value!r}; give {'text' if needed else 'text, or None for none'}.")
    if name == "on_presentation":
        tables["on"] = {"presentation": value or ""}
    elif value is None:
        tables.pop(name, None)
    else:
        if name == "method" and value != tables["method"]:
            tables.pop("time_step", None)  # which was found with the other
        tables[name] = value


def common_fields(tables: Mapping[str, Any], lines: Mapping[str, Equation], where: str) -> dict[str, Any]:
    """Read what cell and synapse files have in common: the fields of `Model`.

    Raises ValueError where parameters cannot be read, a name is used twice, or a state variable lacks its initial value.
    """
    parameters, shared = read_parameters(tables, where)
    initial = tables.get("initial", {})
    state = [name for name, line in lines.items() if line.kind != "subexpression"]
    for name in lines:
        if name in parameters or name in shared:
            raise ValueError(f"{where}: '{name}' is both a parameter and in the equations; rename one of them.")
    for name in initial:
        if name not in state:
            raise ValueError(f"{where}: [initial] {name} is not a state variable.{near(name, state)}")
    for name in state:
        if name not in initial:
            raise ValueError(f"{where}: [initial] lacks the state variable '{name}'; give it a value.")
    return {
        "name": tables["name"],
        "summary": tables["summary"],
        "references": tuple(tables.get("references", ())),
        "equations": tables.get("equations", ""),
        "parameters": parameters,
        "shared": shared,
        "initial": MappingProxyType(dict(initial)),
        "on_presentation": tables.get("on", {}).get("presentation", ""),
        "lines": MappingProxyType(dict(lines)),
        "tables": tables,
    }


def read_parameters(tables: Mapping[str, Any], where: str) -> tuple[Mapping[str, Parameter], Mapping[str, float]]:
    """Read the tables `parameters` and `shared` of a model; raises ValueError for a value that cannot be read or lacks its source."""
    parameters, shared = {}, {}
    for name, entry in tables.get("parameters", {}).items():
        parameters[name] = _parameter(name, entry, f"{where}: [parameters] {name}")
    for name, entry in tables.get("shared", {}).items():
        at = f"{where}: [shared] {name}"
        refuse_reserved(name, at)
        value = entry["value"]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{at}: value is {value!r}; a shared factor has no unit, give a plain number.")
        shared[name] = float(value)
        if name in parameters:
            raise ValueError(f"{at} is a parameter too; rename one of them.")
    return MappingProxyType(parameters), MappingProxyType(shared)


def _parameter(name: str, entry: Mapping[str, Any], where: str) -> Parameter:
    refuse_reserved(name, where)
    weight = "dimension" in entry
    if weight and entry["dimension"] != "weight":
        raise ValueError(
            f'{where}: dimension is {entry["dimension"]!r}; only "weight" can be said, other parameters have a value with a unit.'
        )
    for key in ("value", "source"):
        if key not in entry and not weight:
            raise ValueError(f"{where} lacks the key '{key}'; add it.")
    source, meaning = str(entry.get("source", "")), str(entry["meaning"])
    if not weight and not source.strip():
        raise ValueError(f"{where} has an empty source; say where the number comes from, or that it is chosen and why.")
    if "value" not in entry:
        return Parameter(None, None, meaning, source, "", weight)
    try:
        value = parse_unit_text(entry["value"])
    except TEXT_ERRORS as error:
        raise ValueError(f"{where}: value: {error}") from None
    if math.isnan(value) or value is entry["value"] and math.isinf(value):
        raise ValueError(f'{where}: value is {value}; give a finite number, or the text "inf".')
    dimensions = None if weight and value == 0 and get_dimensions(value) is DIMENSIONLESS else get_dimensions(value)
    return Parameter(float(value), dimensions, meaning, source, str(entry["value"]), weight)
