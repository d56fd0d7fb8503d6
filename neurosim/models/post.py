"""What a synapse keeps in each of its postsynaptic cells: state variables that all synapses of the cell share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.expressions import names_in, statements
from neurosim.models.extension import Extension
from neurosim.models.files import compare_keys
from neurosim.models.scope import Equation, Scope, parse_equations
from neurosim.units import second, volt

KEYS = ({"equations", "initial"}, {"on_spike", "given"})
POTENTIALS = {"v_pre": volt.dim, "v_post": volt.dim}


@dataclass(frozen=True)
class Post:
    """Hold the table `post` of a synapse.

    `lines` are equations by name, `initial` their first values, `on_spike` statements at each spike of the cell; `given` are the
    variables that an input has to deliver, such as a reward.
    """

    lines: Mapping[str, Equation]
    initial: Mapping[str, str]
    on_spike: str
    given: tuple[str, ...]

    @property
    def read(self) -> dict[str, Any]:
        """The names by which statements of the synapse read what is kept, with dimensions."""
        return {f"{name}_post": line.dimensions for name, line in self.lines.items()}


NOTHING = Post({}, {}, "", ())


def read_post(tables: Mapping[str, Any], where: str) -> Post:
    """Read the table `post` of a synapse; raises ValueError for an unknown key, an unreadable equation or a missing first value."""
    table = tables.get("post")
    if table is None:
        return NOTHING
    at = f"{where}: [post]"
    if not isinstance(table, Mapping) or not isinstance(table.get("initial", {}), Mapping):
        raise ValueError(f"{at} is {table!r}; make it a table with equations and [post.initial].")
    compare_keys(table, KEYS, at)
    lines = parse_equations(table["equations"], (), at)
    if "v" in lines:
        raise ValueError(f"{at} has an equation of 'v', the potential that each cell has of its own; give what is kept another name.")
    state = [name for name, line in lines.items() if line.kind != "subexpression"]
    if sorted(state) != sorted(table["initial"]):
        raise ValueError(f"{at}: initial has {', '.join(table['initial']) or 'nothing'}; give a value to each of {', '.join(state)}.")
    given = table.get("given", [])
    if not isinstance(given, list):
        raise ValueError(f"{at}: given is {given!r}; give a list of variables, [{given!r}].")
    given = tuple(given)
    for name in given:
        if name not in state:
            raise ValueError(f"{at}: given names '{name}', which is no variable of its equations ({', '.join(state)}).")
    return Post(lines, dict(table["initial"]), table.get("on_spike", ""), given)


def check_post(post: Post, scope: Scope, where: str) -> None:
    """Check names and units of what is kept in the cells; `scope` knows the parameters of the synapse."""
    scope = scope.extended(v=volt.dim, **{name: line.dimensions for name, line in post.lines.items()})
    for name, line in post.lines.items():
        if line.expression:
            wanted = line.dimensions / second.dim if line.kind == "differential" else line.dimensions
            scope.check(line.expression, wanted, f"[post] equation of '{name}'")
    for name, text in post.initial.items():
        scope.check(text, post.lines[name].dimensions, f"[post] initial {name}")
    scope.check_block(post.on_spike, list(post.lines), "[post] on_spike")


def texts_of(post: Post) -> list[str]:
    """Return every expression of the table."""
    return [
        *(line.expression for line in post.lines.values() if line.expression),
        *post.initial.values(),
        *(line.expression for line in statements(post.on_spike)),
    ]


def extension_of(synapse: Any) -> Extension:
    """Return what a cell needs for a synapse; raises ValueError for a parameter that has no value of its own."""
    post, used = synapse.post, {name for text in texts_of(synapse.post) for name in names_in(text)}
    entries = {name: entry for name, entry in synapse.tables.get("parameters", {}).items() if name in used}
    for name, entry in entries.items():
        if "value" not in entry or "dimension" in entry:
            raise ValueError(f"synapse model '{synapse.name}' keeps {name} in its cells, which know no weights; give it a unit of its own.")
    return Extension(f"synapse model '{synapse.name}'", post.lines, post.initial, entries, post.on_spike)


def check_cells(synapse: Any, source: Any, target: Any, what: str) -> None:
    """Raise ValueError unless cells of two models have what the synapses between them read."""
    for name in sorted({*synapse.reads, *synapse.post.read}):
        own, end = name.rpartition("_")[::2]
        model, side = (source, "presynaptic") if end == "pre" else (target, "postsynaptic")
        if own in model.variables or own in model.subexpressions:
            continue
        remedy = (
            f"create the population from ns.load_cell({model.name!r}).keeping({'synapse' if synapse.normalise else repr(synapse.name)})"
            if own in synapse.post.lines
            else "use cells that have it"
        )
        raise ValueError(
            f"{what} needs the variable '{own}' of its {side} cells for synapse model {synapse.name!r}, which {model.name!r} lacks; {remedy}"
        )
    needed = extension_of(synapse)
    for name, line in needed.equations.items():
        if target.lines[name] != line:
            raise ValueError(
                f"{what}: synapse model {synapse.name!r} keeps another '{name}' in its cells than {target.name!r} has; make the cells with .keeping(...) of it"
            )
    if not set(statements(needed.on_spike)) <= set(statements(target.spike.on_spike)):
        raise ValueError(
            f"{what}: synapse model {synapse.name!r} counts spikes by '{needed.on_spike.strip()}', which its target cells of {target.name!r} do not; "
            "make the cells with .keeping(...) of it"
        )
    read = {
        name
        for block in (synapse.on_pre, synapse.on_post, synapse.on_step)
        for line in statements(block)
        for name in names_in(line.expression)
    }
    for name in needed.parameters:
        if name in target.per_cell and name in read:
            raise ValueError(
                f"{what}: {name} of synapse model {synapse.name!r} is one value, but each target cell of {target.name!r} has its own; leave it out of spread"
            )
        if name in target.parameters and target.parameters[name].value != synapse.parameters[name].value:
            raise ValueError(
                f"{what}: {name} is {synapse.parameters[name].quantity} in synapse model {synapse.name!r} and "
                f"{target.parameters[name].quantity} in its target cells; make the cells with .keeping(...) of this synapse"
            )
