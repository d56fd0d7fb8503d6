"""Loops over cells without branches, so that fast arithmetic computes many cells in each instruction.

A compiler does not do so where an exponential stands in one arm of an `if`, nor where a loop mixes the bytes that say who is
refractory with numbers. So both arms are worked out and one is taken, and who is refractory is worked out in a loop of its own.
"""

import re
from dataclasses import dataclass

ARMS = re.compile(r"if\(!not_refractory\)\s*(\w+) = ([^;]+);\s*else\s*\1 = ([^;]+);")
ARM = re.compile(r"if\(not_refractory\)\s*(\w+) = (\w+);")
LOAD = re.compile(r"^char not_refractory = (\w+)\[_idx\];$")
TRUTHS = ("not_refractory", "_cond")  # which are bytes, not numbers
CALLS = {
    "exp": "neurosim::fast_exp",
    "_exprel": "neurosim::fast_exprel",
    "tanh": "neurosim::fast_tanh",
    "log10": "0.43429448190325182*log",
    "int_": "__builtin_trunc",
}
CALLED = re.compile(rf"(?<![\w:])({'|'.join(CALLS)})\(")
# The same numbers as Brian2's: whole ones as doubles, and bounds by choice instead of by returning early.
FUNCTIONS = {
    re.compile(r"static inline int64_t _timestep\(double t, double dt\)\s*\{.*?\n\}", re.S): (
        "static inline double _timestep(double t, double dt)\n{\n    return __builtin_trunc((t + 1e-3*dt)/dt);\n}"
    ),
    re.compile(r"static inline T _clip\(const T value, const double a_min, const double a_max\)\s*\{.*?\n\}", re.S): (
        "static inline T _clip(const T value, const double a_min, const double a_max)\n"
        "{\n    const T low = value < a_min ? a_min : value;\n    return low > a_max ? a_max : low;\n}"
    ),
}


@dataclass(frozen=True)
class Branchless:
    """Hold the statements of a first loop, which says who is not refractory ("" for none), and those of the second, which may read that."""

    ready: str
    vector: str


def branchless(vector: str) -> Branchless:
    """Split the statements of a state update, replace its branches by choices, and take its functions from `functions.h`."""
    lines = chosen(CALLED.sub(lambda found: f"{CALLS[found[1]]}(", vector)).splitlines()
    load = next((line for line in lines if LOAD.match(line)), None)
    worked_out = [line for line in lines if line.startswith("not_refractory = ")]
    if load is None or len(worked_out) != 1:
        return Branchless("", "\n".join(lines))
    pointer = LOAD.match(load)[1]
    store, until = f"{pointer}[_idx] = not_refractory;", lines.index(worked_out[0]) + 1
    first = [*lines[:until], store]
    rest = [line for line in lines if line not in (load, worked_out[0], store)]
    if any("not_refractory" in line for line in rest):
        first.append("_ready[_idx] = not_refractory;")
        rest.insert(lines.index(load), "const double not_refractory = _ready[_idx];")
    return Branchless("\n".join(first), "\n".join(rest))


def chosen(vector: str) -> str:
    """Replace branches by choices: both arms are worked out, and one is taken."""
    return "\n".join(line.strip() for line in ARM.sub(r"\1 = not_refractory ? \2 : \1;", ARMS.sub(_choice, vector)).splitlines())


def _choice(found: re.Match) -> str:
    name, still, moving = found.groups()
    if name in TRUTHS:
        return f"{name} = not_refractory ? ({moving}) : ({still});"
    return f"{{ const double moving = {moving}; {name} = not_refractory ? moving : ({still}); }}"


def without_branches(support: str) -> str:
    """Return the functions that Brian2 gives along with a piece of code, written so that they can be computed for many cells at once."""
    for theirs, ours in FUNCTIONS.items():
        support = theirs.sub(ours, support)
    return support
