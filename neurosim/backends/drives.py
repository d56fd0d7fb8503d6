"""What one input adds to a population's Brian2 group: variables, their values, and a statement for every time step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.backends.noise import key_halves
from neurosim.population import Population
from neurosim.stimuli import Bound
from neurosim.units import unit_name


@dataclass(frozen=True)
class Drive:
    """Hold what an input adds: declarations, columns of values, constants, a statement with its slot, and a current.

    `current` is the variable that the input adds to a current receptor, None where it acts by its statement; `carried`
    says that this variable is part of the cells' state.
    """

    lines: list[str]
    columns: Mapping[str, np.ndarray]
    constants: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    code: str = ""
    when: str = ""
    current: str | None = None
    carried: bool = False


def drive(bound: Bound, number: int, population: Population) -> Drive:
    """Return what one input of a population adds; `number` tells its variables from those of other inputs."""
    return {"poisson": _poisson, "noise": _noise, "step": _step, "waveform": _waveform}[bound.kind](bound, number, population)


def noise_column(bound: Bound) -> str:
    """The column of the population that carries a noise current from one simulation to the next."""
    return f"noise:{bound.name}"


def _poisson(bound: Bound, number: int, population: Population) -> Drive:
    receptor = population.model.receptors[bound.receptor]
    constants, key = _key(bound, number)
    draw = f"philox_poisson({key}, mean_{number}, silent_{number})"
    code = re.sub(r"\bamount\b", f"(weight_{number}*{draw})", receptor.effect.replace("_post", ""))
    whole = _whole(bound, len(population))
    columns = {"mean": whole["mean"], "silent": np.exp(-whole["mean"]), "family": whole["family"], "weight": whole["weight"]}
    lines = [f"{name}_{number} : 1 (constant)" for name in ("mean", "silent", "family")]
    lines.append(f"weight_{number} : {unit_name(receptor.dimensions)} (constant)")
    return Drive(lines, _numbered(columns, number), constants, f"poisson_{number}", code, "synapses")


def _noise(bound: Bound, number: int, population: Population) -> Drive:
    unit = unit_name(population.model.receptors[bound.receptor].dimensions)
    constants, key = _key(bound, number)
    name, column = f"noise_{number}", noise_column(bound)
    code = f"{name} = mean_{number} + ({name} - mean_{number})*decay_{number} + kick_{number}*philox_normal({key})"
    columns = _whole(bound, len(population))
    columns["noise"] = population.cells[column] if column in population.cells else columns["mean"]
    lines = [f"decay_{number} : 1 (constant)", f"family_{number} : 1 (constant)"]
    lines += [f"{variable}_{number} : {unit} (constant)" for variable in ("mean", "kick", "noise")]
    return Drive(lines, _numbered(columns, number), constants, name, code, "start", name, carried=True)


def _step(bound: Bound, number: int, population: Population) -> Drive:
    unit = unit_name(population.model.receptors[bound.receptor].dimensions)
    return Drive([f"step_{number} : {unit} (constant)"], {}, current=f"step_{number}")


def _waveform(bound: Bound, number: int, population: Population) -> Drive:
    unit, samples = unit_name(population.model.receptors[bound.receptor].dimensions), bound.samples
    played = f"waveform_at(samples_{number}, times_{number}, rows_{number}, hold_{number}, which_{number}, t_in_timesteps - begin_{number})"
    name = f"waveform_{number}"
    constants = {
        "samples": float(samples.ctypes.data), "times": float(len(samples)), "rows": float(samples.shape[1]),
        "hold": float(bound.hold), "begin": float(bound.onset),
    }  # fmt: skip
    columns = {"which": np.zeros(len(population)), "reached": np.zeros(len(population))}
    columns["which"][bound.rows], columns["reached"][bound.rows] = bound.values["which"], 1.0
    lines = [f"which_{number} : 1 (constant)", f"reached_{number} : 1 (constant)", f"{name} : {unit} (constant)"]
    return Drive(
        lines, _numbered(columns, number), _numbered(constants, number), name, f"{name} = reached_{number}*{played}*{unit}", "start", name
    )


def _key(bound: Bound, number: int) -> tuple[dict[str, float], str]:
    """The constants of a random stream, and the arguments that every draw begins with.

    The halves of the key have names: as numbers they would stand in the code, and each seed would compile anew.
    """
    names = f"key_high_{number}", f"key_low_{number}"
    return dict(zip(names, key_halves(bound.key), strict=True)), f"{', '.join(names)}, family_{number}, t_in_timesteps"


def _whole(bound: Bound, size: int) -> dict[str, np.ndarray]:
    """The input's values for every cell of the population, 0 where it does not reach."""
    columns = {}
    for name, values in {**bound.values, "family": bound.noise_ids}.items():
        columns[name] = np.zeros(size)
        columns[name][bound.rows] = values
    return columns


def _numbered(columns: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {f"{name}_{number}": values for name, values in columns.items()}
