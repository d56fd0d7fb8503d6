"""Cells and synapses as values read from files: what they compute, in which units, and where each number comes from."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from neurosim.errors import near
from neurosim.expressions import evaluate, statements
from neurosim.models.advice import TimeStepAdvice, read_advice
from neurosim.models.checks import (
    cell_names,
    check_cell,
    check_statements,
    check_synapse,
    delivers_linearly,
    read_receptors,
    read_spike_rule,
    refuse_unused,
)
from neurosim.models.energy import Costs, read_costs, with_influx
from neurosim.models.extension import CELL_FLAGS, extended
from neurosim.models.files import CELL_KEYS, SOURCE_KEYS, SYNAPSE_KEYS, catalogue, check_keys, read
from neurosim.models.homeostasis import bare, completed
from neurosim.models.nesting import check_contains, embedding
from neurosim.models.parts import Model, Names, Parameter, Receptor, SpikeRule, common_fields
from neurosim.models.post import Post, check_cells, extension_of, read_post
from neurosim.models.protocols import Expected, read_expected
from neurosim.models.receptor_files import with_receptor
from neurosim.models.scope import HELD, Equation, parse_equations
from neurosim.models.sets import ParameterSet, chosen_set, read_sets
from neurosim.models.spread import read_per_cell, spread_out
from neurosim.models.use import reads_use, with_count
from neurosim.units import Dimension, to_si, unit_name


@dataclass(frozen=True, eq=False, repr=False)
class CellModel(Model):
    """A kind of cell: equations, spike rule, receptors and parameters, read from a file and checked.

    `source` is true for a source of spikes, which has neither state nor receptors. `per_cell` are the parameters of which every cell
    has a value of its own: they are state variables that nothing changes. `sets` are the named sets of parameters of the file, `energy`
    is what the cell spends, `time_step` the time step that its file advises, None where it says nothing.
    """

    method: str
    spike: SpikeRule | None
    receptors: Mapping[str, Receptor]
    expected: tuple[Expected, ...]
    source: bool
    per_cell: Mapping[str, Parameter]
    sets: Mapping[str, ParameterSet]
    energy: Costs
    time_step: TimeStepAdvice | None

    kind: ClassVar[str] = "cell"
    texts: ClassVar[tuple[str, ...]] = ("name", "on_presentation", "method")

    @classmethod
    def _build(cls, tables: Mapping[str, Any], where: str) -> CellModel:
        source = tables.get("source") is True
        check_keys(tables, SOURCE_KEYS if source else CELL_KEYS, where)
        rule = None if source else read_spike_rule(tables["spike"], where)
        flags = CELL_FLAGS if rule and rule.rule == "refractory" else (HELD,)
        lines = parse_equations(tables.get("equations", ""), flags, where)
        per_cell = read_per_cell(tables, where)
        check_contains(tables, tables.get("parameters", {}), where)
        # rows of [expected] are read with the model, and replace its parameters: so they join it last
        bare = {key: value for key, value in spread_out(tables, per_cell).items() if key != "expected"}
        lines |= {name: Equation("variable", "", one.dimensions, ("constant",)) for name, one in per_cell.items()}
        model = cls(
            **common_fields(bare, lines, where),
            method=tables.get("method", ""),
            spike=rule,
            receptors=MappingProxyType(read_receptors(bare.get("receptors", {}), lines, where)),
            expected=(),
            source=source,
            per_cell=MappingProxyType(per_cell),
            sets=MappingProxyType({}),
            energy=read_costs(tables, where),
            time_step=None,
        )
        if source:
            return model
        receptors = check_cell(model, where)
        sets = read_sets(tables, {**model.parameters, **per_cell}, where)
        model = dataclasses.replace(
            model, receptors=MappingProxyType(receptors), sets=sets, time_step=read_advice(tables, model.names({}), where)
        )
        rows = enumerate(() if per_cell else tables.get("expected", ()), 1)  # which are those of cells that are all alike
        expected = tuple(read_expected(row, model, f"{where}: [[expected]] row {number}") for number, row in rows)
        return dataclasses.replace(model, tables=tables, expected=expected)

    def evaluate(self, expression: str, **state: Any) -> Any:
        """Work out a subexpression, a derivative such as "dv/dt", or any expression at a given state.

        The state variables and currents that it needs are keywords with units. Raises NameError for one that is missing or unknown
        and TypeError for a wrong dimension.
        """
        known = {**self.variables, **self.continuous}
        for name, value in state.items():
            if name not in known:
                raise NameError(f"Cell model '{self.name}' has no state variable '{name}'.{near(name, known)}")
            to_si(value, known[name], f"'{name}' of cell model '{self.name}'")
        derivative = re.fullmatch(r"\s*d(\w+)/dt\s*", expression)
        if derivative and derivative[1] in self.variables:
            expression = self.lines[derivative[1]].expression
        return evaluate(expression, self.names(state))

    def names(self, state: Mapping[str, Any]) -> Names:
        """Return the values of parameters (those of which every cell has its own: the file's), of a state and of what equations derive."""
        return super().names({**{name: one.quantity for name, one in self.per_cell.items()}, **state})

    def parameter_set(self, name: str) -> CellModel:
        """Return the model with the values of one of its named sets; raise ValueError for a name that is not among them."""
        return self.replace(**chosen_set(self, name))

    def with_spread(self, names: Collection[str]) -> CellModel:
        """Return the model with parameters of which every cell has its own value; raise ValueError for an unknown name."""
        if set(names) <= set(self.per_cell):
            return self
        parameters = dict(self.tables.get("parameters", {}))
        for name in names:
            if name not in parameters:
                raise ValueError(f"Cell model '{self.name}' has no parameter '{name}' to spread.{near(name, parameters)}")
            parameters[name] = {**parameters[name], "spread": True}
        return self.from_specification({**self.tables, "parameters": parameters})

    def keeping(self, *synapses: SynapseModel | str) -> CellModel:
        """Return the model with what some synapse models keep in their postsynaptic cells, such as a rate or a filtered potential.

        `synapses` are models or catalogue names. Raises ValueError where the cell has something else under one of the names.
        """
        tables = self.tables
        for synapse in synapses:
            tables = extended(tables, extension_of(synapse if isinstance(synapse, SynapseModel) else load_synapse(synapse)))
        return self.from_specification(tables)

    def with_receptors(self, *receptors: str | Path) -> CellModel:
        """Return the model with receptors, catalogue names or paths of receptor files, whose currents join its injected current I_e.

        Raises ValueError for an unknown name, a receptor that the cell has already, a cell without I_e, a method that cannot solve
        conductances (give another with `replace` first), and what files get wrong.
        """
        tables = self.tables
        for receptor in receptors:
            tables = with_receptor(tables, receptor)
        return self.from_specification(tables, f"cell model '{self.name}' with {', '.join(map(str, receptors))}")

    def with_energy(self) -> CellModel:
        """Return the model with a state variable `sodium`, the charge (amp*second) that its sodium current has carried in.

        `Energy` charges a cell for what it counts, instead of for spikes. Raises ValueError where the file names no sodium current.
        """
        return self.from_specification(with_influx(self.tables, self.energy))

    def embedding(self, smaller: CellModel) -> dict[str, Any]:
        """Return the parameters with which the cell does what a smaller one that it contains does; see `models.nesting`."""
        return embedding(self, smaller)

    @property
    def continuous(self) -> Mapping[str, Dimension]:
        """The receptors that take a continuous current or conductance, with their dimensions."""
        return {name: receptor.dimensions for name, receptor in self.receptors.items() if receptor.continuous}


@dataclass(frozen=True, eq=False, repr=False)
class SynapseModel(Model):
    """A kind of synapse: what a spike delivers and how weight and traces change, read from a file and checked.

    `on_step` are statements of every time step; `post` is what the synapses of a cell share and keep in it; `sets` are the named sets
    of parameters of the file.
    """

    on_pre: str
    on_post: str
    on_step: str
    bounds: tuple[str, str] | None
    normalise: str | None
    post: Post
    sets: Mapping[str, ParameterSet]

    kind: ClassVar[str] = "synapse"
    texts: ClassVar[tuple[str, ...]] = ("name", "on_presentation", "normalise")

    @classmethod
    def _build(cls, tables: Mapping[str, Any], where: str) -> SynapseModel:
        check_keys(tables, SYNAPSE_KEYS, where)
        tables = with_count(completed(tables, where), where)
        lines = parse_equations(tables.get("equations", ""), ("event-driven", "clock-driven"), where)
        fields = common_fields(tables, lines, where)
        model = cls(
            **fields,
            on_pre=tables["on_pre"],
            on_post=tables.get("on_post", ""),
            on_step=tables.get("on_step", ""),
            bounds=tuple(tables["bounds"]) if "bounds" in tables else None,
            normalise=tables.get("normalise"),
            post=read_post(tables, where),
            sets=read_sets(tables, fields["parameters"], where),
        )
        check_synapse(model, where)
        return model

    def replace(self, **changes: Any) -> SynapseModel:
        """Return the model with other parameters, or another `name`, `on_presentation` or `normalise`, whose parameters come and go with it.

        Raises ValueError for a name that the model lacks and TypeError for a quantity of the wrong dimension.
        """
        if changes.get("normalise", self.normalise) != self.normalise:
            tables, wanted = bare(self.tables), changes.pop("normalise")
            asked = self.from_specification(tables if wanted is None else {**tables, "normalise": wanted})
            return asked.replace(**changes)
        return super().replace(**changes)

    def parameter_set(self, name: str) -> SynapseModel:
        """Return the model with the values of one of its named sets; raise ValueError for a name that is not among them."""
        return self.replace(**chosen_set(self, name))

    @property
    def plastic(self) -> bool:
        """Whether the weight can change."""
        return self.normalise is not None or any(
            line.target == "weight" for block in (self.on_pre, self.on_post, self.on_step) for line in statements(block)
        )

    @cached_property
    def linear(self) -> bool:
        """Whether what is delivered is proportional to the weight."""
        return delivers_linearly(self)

    @cached_property
    def counts_use(self) -> bool:
        """Whether statements read how often the synapse is used."""
        return reads_use(self.tables)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names by which equations and statements read variables of the cells, such as v_post."""
        return cell_names(self)

    def check_cells(self, source: CellModel, target: CellModel, what: str) -> None:
        """Raise ValueError unless cells of two models have the variables that the synapses between them read."""
        check_cells(self, source, target, what)

    @property
    def remembers(self) -> bool:
        """Whether traces are brought up to date at spikes, so that the time of the last update is part of the state."""
        return any("event-driven" in line.flags for line in self.lines.values())

    def missing(self) -> tuple[str, ...]:
        """Name the parameters that must still be given with `replace` before the synapse can be used."""
        unused = set() if self.normalise == "incoming" else {"w_total"}
        return tuple(name for name, parameter in self.parameters.items() if parameter.value is None and name not in unused)

    def check_weight(self, dimensions: Dimension) -> None:
        """Raise TypeError unless weights of these dimensions fit the parameters and statements of the synapse."""
        try:
            check_statements(self, dimensions, f"synapse model '{self.name}' with weights in {unit_name(dimensions)}")
        except ValueError as error:
            raise TypeError(str(error)) from None


def load_cell(name_or_path: str | Path) -> CellModel:
    """Load a cell model: a name of the catalogue, or the path of a TOML file.

    Raises ValueError naming file, key and what would be right; FileNotFoundError for a missing file.
    """
    return _load(CellModel, "cells", name_or_path)


def load_synapse(name_or_path: str | Path) -> SynapseModel:
    """Load a synapse model: a name of the catalogue, or the path of a TOML file. Raises as `load_cell` does."""
    return _load(SynapseModel, "synapses", name_or_path)


def _load(model: type[Model], kind: str, name_or_path: str | Path) -> Any:
    tables, where = read(kind, name_or_path)
    return _built(model, json.dumps(tables, default=str), where)


@lru_cache(maxsize=256)  # by content: checking units takes a file 20 to 80 ms, and models never change
def _built(model: type[Model], text: str, where: str) -> Any:
    loaded = model.from_specification(json.loads(text), where)
    refuse_unused(loaded, where)
    return loaded


def cells() -> tuple[str, ...]:
    """Name the cell models of the catalogue."""
    return catalogue("cells")


def receptors() -> tuple[str, ...]:
    """Name the receptors of the catalogue."""
    return catalogue("receptors")


def synapses() -> tuple[str, ...]:
    """Name the synapse models of the catalogue."""
    return catalogue("synapses")
