"""Let Brian2 translate a network into pieces of C++, by a code generation target of our own that runs nothing.

Brian2 derives the state updates and turns each object's statements into C++; the loops round them, queues and memory are ours.
The names of Brian2 that are not public, and may change with a release, stand in this module and in `backends/inside.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from brian2 import Network, SpikeGeneratorGroup, prefs
from brian2.codegen.codeobject import CodeObject
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator, c_data_type
from brian2.codegen.targets import codegen_targets
from brian2.core.functions import Function
from brian2.core.variables import ArrayVariable, Constant

from neurosim.backends.inside import included
from neurosim.errors import UnsupportedModelError

TARGET = "neurosim_library"
RANDOM = {"rand", "randn", "poisson", "binomial"}  # draws from Brian2's one stream, which does not follow a cell


@dataclass(frozen=True)
class Array:
    """Name an array that a piece of code uses: its pointer, owner and variable, its C++ type, and whether it is one number."""

    pointer: str
    owner: str
    variable: str
    type: str
    scalar: bool


@dataclass(frozen=True)
class Value:
    """Name a constant that a piece of code uses: its owner ("" for none), C++ type and value."""

    name: str
    owner: str
    type: str
    value: float


@dataclass(frozen=True)
class Piece:
    """Hold what one object does in a time step: a template's name, statements before and inside of its loop, and all they use.

    `owner` is the population or projection; `events` the population whose spikes it makes or follows; `end` is "pre" or
    "post" for a pathway of synapses. `refractory` says that a threshold also keeps refractory states.
    """

    name: str
    template: str
    owner: str
    events: str = ""
    end: str = ""
    refractory: bool = False
    scalar: str = ""
    vector: str = ""
    support: str = ""
    defines: str = ""
    arrays: tuple[Array, ...] = ()
    values: tuple[Value, ...] = ()


class _Template:
    """Stand in for a template of Brian2: hand on the statements and what goes with them."""

    template_source = ""

    def __init__(self, variables=(), iterate_all=(), allows_scalar_write=False):
        self.variables, self.iterate_all, self.allows_scalar_write = set(variables), set(iterate_all), allows_scalar_write

    def __call__(self, scalar_code, vector_code, **details) -> Mapping:
        return {"scalar": scalar_code[None], "vector": vector_code[None], **details}


class _Templates:
    stateupdate = _Template({"N"}, {"_idx"}, allows_scalar_write=True)
    threshold = _Template({"N"})
    reset = _Template()
    synapses = _Template()
    synapses_push_spikes = _Template()
    spikegenerator = _Template()


class _Translated(CodeObject):
    """A code object that is only written, never compiled or run."""

    class_name = TARGET
    generator_class = CPPCodeGenerator
    templater = _Templates

    def compile_block(self, block):
        """Do nothing: the pieces of all objects are compiled together."""

    def run_block(self, block):
        """Do nothing."""


codegen_targets.add(_Translated)


def translate(network: Network) -> list[Piece]:
    """Return the pieces of a network in the order in which Brian2 would run them.

    Raises UnsupportedModelError for an object, a variable or a function that has no place in a library.
    """
    before = prefs["codegen.target"]
    prefs["codegen.target"] = TARGET
    try:
        pieces = []
        for part in network.sorted_objects:
            included(part, network)
            part.before_run({})
            if isinstance(part, SpikeGeneratorGroup):
                pieces.append(Piece(part.name, "feed", part.name, events=part.name))
                continue
            for code in part.code_objects:
                pieces.append(_piece(part, code))
        return pieces
    finally:
        prefs["codegen.target"] = before


def _piece(part, code: CodeObject) -> Piece:
    details, template = code.code, code.template_name
    end = part.prepost if template.startswith("synapses") else ""
    owner = part.synapses.name if end else part.group.name
    text = {key: "\n".join(details[key]) for key in ("scalar", "vector")}
    everything = f"{text['scalar']}\n{text['vector']}"
    drawn = sorted(RANDOM & {name for name, variable in code.variables.items() if isinstance(variable, Function)})
    if drawn:
        raise UnsupportedModelError(f"{part.name} draws random numbers by {drawn[0]}(), which do not follow a cell; use an input")
    arrays, values = [], []
    for name, variable in code.variables.items():
        if isinstance(variable, ArrayVariable) and name != "_spikespace":
            pointer = CPPCodeGenerator.get_array_name(variable)
            needed = template == "threshold" and name in ("not_refractory", "lastspike", "t")
            if needed or re.search(rf"\b{pointer}\b", everything):
                kind = c_data_type(variable.dtype)
                arrays.append(Array(pointer, getattr(variable.owner, "name", ""), variable.name, kind, bool(variable.scalar)))
        elif isinstance(variable, Constant) and re.search(rf"\b{name}\b", everything):
            number = np.asarray(variable.get_value()).item()
            values.append(Value(name, getattr(variable.owner, "name", ""), c_data_type(variable.dtype), number))
    spiking = details.get("eventspace_variable")
    return Piece(
        code.name, template, owner,
        events=spiking.owner.name if spiking is not None else part.source.name if end else "",
        end=end, refractory=bool(details.get("_uses_refractory", False)), **text,
        support="\n".join(details["support_code_lines"]), defines="\n".join(details["hashdefine_lines"]),
        arrays=tuple({one.pointer: one for one in arrays}.values()), values=tuple(values),
    )  # fmt: skip
