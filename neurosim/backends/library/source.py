"""From pieces of code to one C++ source and the layout of its memory: tables, columns, constants, pathways."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources

from neurosim.backends.differences import DIFFERENCE_SOURCE
from neurosim.backends.library.batches import BATCH, batched
from neurosim.backends.library.branchless import Branchless, branchless, chosen, without_branches
from neurosim.backends.library.pieces import Array, Piece, Value
from neurosim.backends.matrices import MATRIX_EXPONENTIALS, MATRIX_SOURCE
from neurosim.backends.noise import PHILOX_SOURCE
from neurosim.backends.playing import WAVEFORM_SOURCE
from neurosim.errors import UnsupportedModelError

AHEAD = 8  # synapses between the one that is worked on and the one whose state is called for: they lie scattered in memory
WIDTHS = {"double": 8, "int64_t": 8, "int32_t": 4, "char": 1}
DRAW = re.compile(r"philox_(poisson|normal)\((\w+), (\w+), (\w+), t_in_timesteps((?:, \w+)*)\)")
HEADERS = ("functions.h", "engine.h", "draws.h")
CALLED = ("waveform_at", "exp_difference", *MATRIX_EXPONENTIALS)  # in generated statements, by their bare names
CLOCK = {"t": "&_engine.t", "dt": "&_engine.dt", "timestep": "&_engine.step"}
# each column is memory of its own, and no cell reads another's: what the compiler would otherwise test for every pair of columns
OVER_CELLS = "#pragma GCC ivdep\nfor (int64_t _idx = 0; _idx < _size; ++_idx) {"
PRE, POST, DELAY = "_synaptic_pre", "_synaptic_post", "delay_steps"  # rows of the cells of a synapse, and its delay


@dataclass
class Layout:
    """Hold where everything stands in a library's memory: what generated code and the engine have to agree on.

    `tables` maps names to columns and their C++ types, in order; shared numbers of a part stand in the table of one row
    "<part>.shared". `constants` are (part, name) of the values given at run time, `pathways` (projection, end), `feeds`
    and `populations` names of populations.
    """

    populations: list[str]
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    constants: list[tuple[str, str]] = field(default_factory=list)
    pathways: list[tuple[str, str]] = field(default_factory=list)
    feeds: list[str] = field(default_factory=list)

    def place(self, table: str, column: str, kind: str) -> tuple[int, int]:
        """Return the numbers of a table and of its column, a new one if need be."""
        columns = self.tables.setdefault(table, {})
        columns.setdefault(column, kind)
        return list(self.tables).index(table), list(columns).index(column)

    def to_json(self) -> dict:
        """Return the layout as plain lists and dicts."""
        return json.loads(json.dumps(self.__dict__))

    @classmethod
    def from_json(cls, known: dict) -> "Layout":
        """Make a layout again from plain lists and dicts."""
        pairs = {name: [tuple(pair) for pair in known[name]] for name in ("constants", "pathways")}
        return cls(**{**known, **pairs})


def write(
    pieces: list[Piece], populations: list[str], projections: list[str], given: Callable[[str, str], bool], fast: bool
) -> tuple[str, Layout]:
    """Return the C++ source of all pieces, run in their order, and its layout.

    ``given(part, constant)`` says which constants get their values at run time; the others are written into the code. `fast`
    arithmetic may take other functions than those of the C library.
    Raises UnsupportedModelError for an array of which the engine does not know what it is.
    """
    layout = Layout(populations, {name: {} for name in (*populations, *projections)})
    for projection in projections:
        for column in (PRE, POST, DELAY):
            layout.place(projection, column, "int32_t")
    functions, calls = [], []
    for number, piece in enumerate(pieces):
        if piece.template == "feed":
            calls.append(f"feeds[{len(layout.feeds)}].emit(events[{populations.index(piece.events)}], step);")
            layout.feeds.append(piece.events)
        elif piece.template == "synapses_push_spikes":
            table, _ = layout.place(piece.owner, PRE, "int32_t")
            calls.append(f"pathways[{len(layout.pathways)}].push(events[{populations.index(piece.events)}], tables[{table}], step);")
            layout.pathways.append((piece.owner, piece.end))
        else:
            functions.append(_function(number, piece, layout, given, fast))
            calls.append(f"code_{number}::run(*this);  // {piece.name}")
    ours = [resources.files("neurosim.backends.library").joinpath(name).read_text(encoding="utf-8") for name in HEADERS]
    used = [f"using neurosim::{name};" for name in CALLED]
    advance = "\n    ".join(calls)
    head = "\n".join([f"#define NEUROSIM_FAST {int(fast)}", PHILOX_SOURCE, WAVEFORM_SOURCE, DIFFERENCE_SOURCE, MATRIX_SOURCE, *used, *ours])
    return f"{head}\n{''.join(functions)}\nvoid neurosim::Engine::advance() {{\n    {advance}\n}}\n", layout


def _function(number: int, piece: Piece, layout: Layout, given, fast: bool) -> str:
    lines = [_pointer(one, piece, layout) for one in piece.arrays]
    lines += [_constant(one, piece, layout, given) for one in piece.values]
    lines += ["size_t _vectorisation_idx = -1;", piece.scalar, *_loop(piece, layout, fast)]
    body = "\n".join(line for block in lines for line in block.splitlines() if line.strip())
    support = without_branches(piece.support) if fast else piece.support
    return f"\nnamespace code_{number} {{\n{support}\n{piece.defines}\nstatic __attribute__((noinline)) void run(Engine& _engine) {{\n{body}\n}}\n}}\n"


def _pointer(array: Array, piece: Piece, layout: Layout) -> str:
    if array.variable in CLOCK and array.scalar:
        return f"const {array.type}* {array.pointer} = {CLOCK[array.variable]};"
    part = array.owner if array.owner in layout.tables else None
    if part is None or array.type not in WIDTHS or array.variable in ("i", "j", "N", "N_incoming", "N_outgoing"):
        raise UnsupportedModelError(f"{piece.name} uses {array.variable!r} of {array.owner!r}, which a library does not keep")
    table, column = layout.place(f"{part}.shared" if array.scalar else part, array.variable, array.type)
    restrict = " " if array.scalar else " __restrict "
    return f"{array.type}*{restrict}{array.pointer} = _engine.tables[{table}].at<{array.type}>({column});"


def _constant(value: Value, piece: Piece, layout: Layout, given) -> str:
    if value.name == "N":
        return f"const int64_t N = _engine.tables[{list(layout.tables).index(piece.owner)}].size;"
    head = f"const {value.type} {value.name} ="
    if not given(piece.owner, value.name):
        return f"{head} {_literal(value.value)};"
    key = (piece.owner, value.name)
    if key not in layout.constants:
        layout.constants.append(key)
    return f"{head} static_cast<{value.type}>(_engine.constants[{layout.constants.index(key)}]);"


def _literal(value) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NAN" if math.isnan(value) else f"{'-' if value < 0 else ''}INFINITY"
    return repr(value).lower()


def _loop(piece: Piece, layout: Layout, fast: bool) -> list[str]:
    row = "_vectorisation_idx = _idx;" if "_vectorisation_idx" in piece.vector else ""
    events = f"_engine.events[{layout.populations.index(piece.events)}]" if piece.events else ""
    if piece.template == "synapses":
        return _deliveries(piece, layout, fast, row)
    if piece.template == "reset":
        return [
            f"const neurosim::Events& _events = {events};",
            "for (int64_t _event = 0; _event < _events.count; ++_event) {",
            f"    const size_t _idx = _events.rows[_event]; {row}",
            piece.vector,
            "}",
        ]
    size = f"_engine.tables[{list(layout.tables).index(piece.owner)}].size"
    if piece.template == "threshold":
        return _threshold(piece, events, size, row)
    once = branchless(piece.vector) if fast and piece.template == "stateupdate" else Branchless("", piece.vector)
    ready = ["double* __restrict _ready = _engine.room(_size);"] if "_ready[_idx]" in once.vector else []
    return [
        f"const int64_t _size = neurosim::padded({size});",
        *_draws(piece),
        *([*ready, OVER_CELLS, once.ready, "}"] if once.ready else []),
        OVER_CELLS,
        row,
        DRAW.sub("_draws[_idx]", once.vector),
        "}",
    ]


def _threshold(piece: Piece, events: str, size: str, row: str) -> list[str]:
    """Mark the cells that spike, many at once, then list them: hardly any block of cells has one."""
    pointer = {one.variable: one.pointer for one in piece.arrays}
    refractory = [f"{pointer['not_refractory']}[_idx] = false;", f"{pointer['lastspike']}[_idx] = _engine.t;"] if piece.refractory else []
    return [
        f"const int64_t _size = neurosim::padded({size});",
        "char* __restrict _spikes = _engine.marks(_size);",
        OVER_CELLS,
        row,
        chosen(piece.vector),
        "_spikes[_idx] = _cond;",
        "}",
        f"{events}.list(_spikes, {size}, [&](int64_t _idx) {{",
        *refractory,
        "});",
    ]


def _deliveries(piece: Piece, layout: Layout, fast: bool, row: str) -> list[str]:
    """Visit the synapses that a spike reaches now, while the state of those that come next is called for."""
    batch = batched(piece.vector) if fast else None
    called = " ".join(f"__builtin_prefetch({name} + _next);" for name in sorted(set(re.findall(r"(\w+)\[_idx\]", piece.vector))))
    ahead = BATCH if batch else AHEAD
    called = f"if (_at + {ahead} < _length) {{ const size_t _next = _rows[_at + {ahead}]; {called} }}"
    if batch:
        loops = [
            f"    double _exponents[{batch.count}][{BATCH}];",
            f"    for (int64_t _begin = 0; _begin < _length; _begin += {BATCH}) {{",
            f"        const int64_t _count = _length - _begin < {BATCH} ? _length - _begin : {BATCH};",
            f"        for (int64_t _place = 0; _place < {BATCH}; ++_place) {{",
            "            const size_t _idx = _rows[_begin + (_place < _count ? _place : 0)];",
            *batch.arguments,
            "        }",
            f"        for (auto& _exponent : _exponents) neurosim::exponentials<{BATCH}>(_exponent);",
            "        for (int64_t _place = 0; _place < _count; ++_place) {",
            f"            const int64_t _at = _begin + _place; {called}",
            f"            const size_t _idx = _rows[_at]; {row}",
            batch.vector,
            "        }",
            "    }",
        ]
    else:
        loops = [
            "    for (int64_t _at = 0; _at < _length; ++_at) {",
            f"        {called}",
            f"        const size_t _idx = _rows[_at]; {row}",
            piece.vector,
            "    }",
        ]
    return [
        f"neurosim::Pathway& _path = _engine.pathways[{layout.pathways.index((piece.owner, piece.end))}];",
        "neurosim::Pathway::Slot& _slot = _path.slot(_engine.step);",
        "const int32_t* _rows; int64_t _piece = -1, _length;",
        "while (_path.stretch_of(_slot, _piece, _rows, _length)) {",
        *loops,
        "}",
        "_slot.rows.clear();",
        "_slot.cells.clear();",
    ]


def _draws(piece: Piece) -> list[str]:
    """Draw for all cells at once what the loop would draw one by one; each input's piece has one draw."""
    found = DRAW.search(piece.vector)
    if found is None:
        return []
    pointer = {one.variable: one.pointer for one in piece.arrays}
    kind, high, low, ids, values = found.groups()
    columns = "".join(f"{pointer[name]}, " for name in values.split(", ")[1:])
    return [
        "double* __restrict _draws = _engine.room(_size);",
        f"neurosim::{kind}s({high}, {low}, {pointer[ids]}, _engine.step, {columns}_size, _draws);",
    ]
