"""What a compiled library makes of the cells of a circuit: how many an instruction computes, and where it is one by one, why."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from neurosim.backends.compiler import Compiler, announce, choose_target, library_compiler
from neurosim.backends.library.mould import Structure
from neurosim.circuit import Circuit
from neurosim.errors import UnsupportedModelError
from neurosim.expressions import LOCK
from neurosim.population import Population

NUMBER = 8  # bytes of a state variable
TARGETS = {"cython": "Cython", "numpy": "NumPy"}
# How the source of a library calls its pieces, and how their loops over cells begin and end.
CALLED = re.compile(r"code_(\d+)::run\(\*this\);  // (\w+)_codeobject")
LOOP, END = "for (int64_t _idx = ", "}"
# What g++ says of loops; the reasons why it cannot vectorise one stand before the verdict.
SOURCE = "cells.cpp"
VERDICT = re.compile(r"^([^:]+):(\d+):\d+: (?:optimized: .*loop vectorized using (\d+) byte vectors|missed: +couldn't vectorize loop)")
REASON = re.compile(r"missed: +not vectorized: (.+)")
CALL = re.compile(r"\b(?:__builtin_)?(\w+) \([^()]*\);?$")
EXPONENTIAL = re.compile(r"\b(?:neurosim::fast_)?(?:exp|expm1|exprel|tanh)\(")
ASSIGNED = re.compile(r"(\w+)(\[_idx\])? = ")
SINGLE = ("exp_difference", "matrix_exponential")  # functions of ours that go several ways
MEANINGS = {
    "control flow": "it does one thing or another, from cell to cell",
    "number of iterations": "it repeats something as often as each cell needs",
    "not profitable": "the compiler expects no gain",
}


@dataclass(frozen=True)
class Loop:
    """Hold what becomes of a loop over cells: its statements, the bytes of its vectors (0: one cell after the other) and the compiler's reason."""

    statements: tuple[str, ...]
    width: int = 0
    reason: str = "the compiler did not try"


def reported(circuit: Circuit) -> dict[str, list[str]]:
    """Say what a library with fast arithmetic makes of each population that is no source of spikes, in lines of words.

    Compiles for about 2 s, more for a large circuit. Without a library, the line says why, and what simulates instead.
    """
    cells = [one for one in circuit.populations.values() if not one.model.source]
    if not cells:
        return {}
    try:
        compiler = library_compiler("fast")
        if "clang" in compiler.version:
            silent = f"compiled by {compiler.version}, which does not say what it makes of loops; g++ does, if CXX names it"
            return {one.name: [silent] for one in cells}
        with LOCK:
            source, _ = Structure(circuit, [], (), False).source()
        parts = len(circuit.populations) + len(circuit.projections)
        if parts > 1:
            announce(parts)
        pieces = _compiled(compiler, source)
    except (UnsupportedModelError, RuntimeError) as reason:
        instead = f"simulated by Brian2's {TARGETS[choose_target('auto')]} target, which is slower than a compiled library: {reason}"
        return {one.name: [instead] for one in cells}
    return {one.name: [*_words(one, pieces), f"compiled by {compiler.version}"] for one in cells}


def _compiled(compiler: Compiler, source: str) -> dict[str, list[Loop]]:
    """Compile a source and return the loops over cells of each piece."""
    listening = replace(compiler, compiling=(*compiler.compiling, "-fdump-tree-vect-optimized-missed=loops.txt"))
    with TemporaryDirectory(prefix="neurosim-") as name:
        folder = Path(name)
        (folder / SOURCE).write_text(source, encoding="utf-8")
        listening.build(folder / SOURCE, folder / "cells.so")
        told = folder / "loops.txt"  # which a compiler that is not to vectorise does not write
        verdicts = _verdicts(told.read_text(errors="replace") if told.exists() else "")
    return {piece: [replace(loop, **verdicts.get(line, {})) for line, loop in found] for piece, found in _loops(source).items()}


def _loops(source: str) -> dict[str, list[tuple[int, Loop]]]:
    """Return the loops over cells of each piece, with the numbers of their first lines."""
    names = {f"namespace code_{number} {{": name for number, name in CALLED.findall(source)}
    lines, piece, found = source.splitlines(), "", {}
    for number, line in enumerate(lines):
        piece = names.get(line, piece)
        if piece and line.startswith(LOOP):
            found.setdefault(piece, []).append((number + 1, Loop(tuple(lines[number + 1 : lines.index(END, number)]))))
    return found


def _verdicts(told: str) -> dict[int, dict]:
    """Return what the compiler says of the loop that begins in each line.

    Where it makes several loops of one, the verdict is that of the first, because those that follow do what is left over, or of one that
    is not vectorised.
    """
    found, reasons = {}, []
    for line in told.splitlines():
        if reason := REASON.search(line):
            reasons.append(reason[1])
        elif verdict := VERDICT.match(line):
            place, width = int(verdict[2]), int(verdict[3] or 0)
            if verdict[1] == SOURCE and (not width or place not in found):
                found[place] = {"width": width, "reason": "" if width else (reasons or ["no reason given"])[0]}
            reasons = []
    return found


def exponentials(loop: Loop) -> int:
    """Count the exponentials that a loop computes for each cell: of statements whose results are used, and each but once."""
    used: list[tuple[str, str]] = []
    wanted: set[str] = set()
    for line in reversed(loop.statements):
        if not (assigned := ASSIGNED.findall(line)):
            continue
        target, stored = assigned[-1]
        if stored or target in wanted:
            right = line.partition(" = ")[2]
            wanted.update(re.findall(r"\w+", right))
            used.append((target, right))
    seen, changes = set(), Counter()
    for target, right in reversed(used):
        for found in EXPONENTIAL.finditer(right):
            call = _call(right, found.start(), found.end())
            seen.add((call, *(changes[name] for name in re.findall(r"\w+", call))))
        changes[target] += 1
    return len(seen)


def _call(text: str, begin: int, inside: int) -> str:
    """Return a call up to the bracket that closes it."""
    depth, end = 1, inside
    while depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return text[begin:end]


def _words(population: Population, pieces: dict[str, list[Loop]]) -> Iterator[str]:
    """Give the lines of one population."""
    model = population.model
    if update := pieces.get(f"{population.name}_stateupdater"):
        steps = " ".join(name for name, line in model.lines.items() if line.kind == "differential")
        count = sum(map(exponentials, update))
        each = f", {count} exponential{'s' * (count > 1)} a cell and step" if count else ""
        yield f"{model.method} of {steps}{each}: {_pace(update)}"
    if search := pieces.get(f"{population.name}_spike_thresholder"):
        yield f"spikes at {model.spike.threshold}: {_pace(search)}"


def _pace(loops: list[Loop]) -> str:
    worst = min(loops, key=lambda loop: loop.width)
    if worst.width:
        return f"vectorised, {worst.width // NUMBER} cells an instruction ({worst.width}-byte vectors)"
    return f"not vectorised, one cell after the other: {_meaning(worst)}"


def _meaning(loop: Loop) -> str:
    """Put a compiler's reason into words, and its own words into brackets."""
    found, reason = CALL.search(loop.reason), loop.reason
    called = found[1] if found else next((name for name in SINGLE if name in "".join(loop.statements)), "")
    if called:
        return f"it calls {called}(), which takes one number at a time ({reason})"
    meaning = next((MEANINGS[key] for key in MEANINGS if key in reason), "")
    return f"{meaning} ({reason})" if meaning else reason
