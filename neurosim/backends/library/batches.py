"""Exponentials of event-driven synapses, taken for many synapses at once instead of one by one between loads and stores.

Each stands in a batch of full length, whatever the number of synapses is: so its bits do not depend on its neighbours.
"""

import re
from dataclasses import dataclass

BATCH = 16
READ = re.compile(r"^(?:const )?(\w+) (\w+) = (\w+)\[_idx\];$")
ASSIGNED = re.compile(r"^(?:const )?(?:\w+ )?(\w+) [-+*/]?= ")


@dataclass(frozen=True)
class Batch:
    """Hold what is worked out for a batch before its loop, and the statements of the loop that use it."""

    arguments: list[str]
    count: int
    vector: str


def batched(vector: str) -> Batch | None:
    """Find the exponentials in a piece of synapses that depend on the state of the synapse alone; None where there is none.

    Only what has not been assigned yet may be looked up ahead; a synapse has one event at most in a time step.
    """
    reads, changed, lines, arguments = {}, set(), [], []
    for line in vector.splitlines():
        found = READ.match(line)
        if found:
            reads[found[2]] = line
            lines.append(line)
            continue
        lines.append(_ahead(line, reads, changed, arguments))
        assigned = ASSIGNED.match(line.strip())
        changed.add(assigned[1] if assigned else None)
    if not arguments:
        return None
    names = {name for argument in arguments for name in re.findall(r"\w+", argument)}
    loads = [line for name, line in reads.items() if name in names]
    takes = [f"_exponents[{number}][_place] = {argument};" for number, argument in enumerate(arguments)]
    return Batch(loads + takes, len(arguments), "\n".join(lines))


def _ahead(line: str, reads: dict[str, str], changed: set, arguments: list[str]) -> str:
    """Replace the exponentials of a line that can be taken ahead by their places in the batch."""
    place = 0
    while (place := line.find("exp(", place)) >= 0:
        end = _closing(line, place + 3)
        argument = line[place + 4 : end]
        names = set(re.findall(r"[A-Za-z_]\w*", argument))
        known = names & set(reads)
        whole = place == 0 or not re.match(r"\w", line[place - 1])
        if whole and known and not names & changed and "exp" not in names:
            arguments.append(argument)
            line = f"{line[:place]}_exponents[{len(arguments) - 1}][_place]{line[end + 1 :]}"
        else:
            place = end
    return line


def _closing(line: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(line)):
        depth += {"(": 1, ")": -1}.get(line[place], 0)
        if not depth:
            return place
    raise ValueError(f"no closing bracket in {line!r}")
