"""Keep circuits and recordings in files: NumPy archives without pickle, each with a manifest of hashes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurosim import conduction, distributions, wiring
from neurosim.circuit import Circuit
from neurosim.conduction import Conduction
from neurosim.distributions import Distribution
from neurosim.files import read_archive, understood, write_archive
from neurosim.ledger import Ledger
from neurosim.models import CellModel, SynapseModel
from neurosim.population import Population
from neurosim.projection import Projection, Recipe
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData
from neurosim.table import Table
from neurosim.units import exponents, from_exponents, get_dimensions, quantity


def save_circuit(circuit: Circuit, path) -> Path:
    """Save a circuit without loss to one .npz file.

    The file is written whole or not at all. Raises OSError naming the file where it cannot be written.
    """
    return write_archive(path, *circuit_archive(circuit))


def circuit_archive(circuit: Circuit) -> tuple[dict, dict[str, np.ndarray]]:
    """Return a circuit as the description and arrays of an archive."""
    arrays, parts = {}, {"populations": [], "projections": []}
    for name, population in circuit.populations.items():
        parts["populations"].append(
            {
                "name": name,
                "model": population.model.specification(),
                "sign": population.sign,
                "shared": dict(population.shared),
                "ledgers": _ledgers_to(population),
                "scatter": population.scatter,
                "spread": {key: _values_to(value) for key, value in population.spread.items()},
            }  # fmt: skip
        )
        arrays |= {f"{name}/cells/{column}": values for column, values in population.cells.items()}
        arrays[f"{name}/parents"] = population.parents
    for name, projection in circuit.projections.items():
        parts["projections"].append(
            {
                "name": name, "source": projection.source, "target": projection.target, "synapse": projection.synapse.specification(),
                "receptor": projection.receptor.name, "newborn": projection.newborn, "recipe": _recipe_to(projection.recipe),
                "next_id": projection.next_id, "shared": dict(projection.shared), "ledgers": _ledgers_to(projection),
            }
        )  # fmt: skip
        arrays |= {f"{name}/synapses/{column}": values for column, values in projection.synapses.items()}
        arrays |= {f"{name}/flight/{column}": values for column, values in projection.flight.items()}
    about = {"kind": "circuit", "seed": int(circuit.seed), "step": circuit.step, "epoch": circuit.epoch, "dt": circuit.dt_si, **parts}
    about["notes"] = dict(circuit.notes)
    return about, arrays


def read_circuit(path, expected: str | None = None) -> Circuit:
    """Read a circuit from an archive; raises as read_archive does."""
    about, arrays = read_archive(path, "circuit", expected)
    with understood(path, "circuit"):
        return _circuit(about, arrays)


def _circuit(about: Mapping, arrays: Mapping[str, np.ndarray]) -> Circuit:
    populations = {}
    for entry in about["populations"]:
        name = entry["name"]
        model = CellModel.from_specification(entry["model"])
        populations[name] = Population(
            name, model, _table(arrays, f"{name}/cells/"), arrays[f"{name}/parents"], entry["sign"], entry["shared"],
            _ledgers_from(entry["ledgers"]), entry["scatter"],
            {key: _values_from(value) for key, value in entry["spread"].items()},
        )  # fmt: skip
    projections = []
    for entry in about["projections"]:
        name = entry["name"]
        projections.append(
            Projection(
                name, entry["source"], entry["target"], SynapseModel.from_specification(entry["synapse"]),
                populations[entry["target"]].model.receptors[entry["receptor"]], entry["newborn"], _recipe_from(entry["recipe"]),
                _table(arrays, f"{name}/synapses/"), _table(arrays, f"{name}/flight/"), entry["next_id"], entry["shared"],
                _ledgers_from(entry["ledgers"]),
            )
        )  # fmt: skip
    return Circuit(list(populations.values()), projections, about["seed"], about["step"], about["epoch"], about["dt"], about["notes"])


def recording_archive(recording: Recording) -> tuple[dict, dict[str, np.ndarray]]:
    """Return a recording as the description and arrays of an archive."""
    arrays, parts = {}, {}
    for name in recording.names:
        part = recording[name]
        parts[name] = {key: {"dimensions": exponents(data.dimensions)} for key, data in part.traces.items()}
        if part.counts is not None:
            arrays |= {f"{name}/ids": part.ids, f"{name}/counts": part.counts}
        if part.has_spikes:
            arrays |= {f"{name}/spike_id": part.spikes.id, f"{name}/spike_step": part.spikes.step}
        for key, data in part.traces.items():
            arrays |= {f"{name}/trace/{key}/{field}": getattr(data, field) for field in ("ids", "steps", "si")}
    about = {"kind": "recording", "start": recording.start_step, "stop": recording.stop_step, "dt": recording.dt_si, "parts": parts}
    return about, arrays


def read_recording(path, expected: str | None = None) -> Recording:
    """Read a recording from an archive; raises as read_archive does."""
    about, arrays = read_archive(path, "recording", expected)
    with understood(path, "recording"):
        return _recording(about, arrays)


def _recording(about: Mapping, arrays: Mapping[str, np.ndarray]) -> Recording:
    dt, parts = about["dt"], {}
    duration = (about["stop"] - about["start"]) * dt
    for name, traces in about["parts"].items():
        spikes = SpikeTrains(arrays[f"{name}/spike_id"], arrays[f"{name}/spike_step"], dt) if f"{name}/spike_id" in arrays else None
        data = {
            key: TraceData(
                *(arrays[f"{name}/trace/{key}/{field}"] for field in ("ids", "steps", "si")), from_exponents(entry["dimensions"]), dt
            )
            for key, entry in traces.items()
        }
        parts[name] = PartRecording(name, duration, arrays.get(f"{name}/ids"), arrays.get(f"{name}/counts"), spikes, data)
    return Recording(parts, about["start"], about["stop"], dt)


def _table(arrays: Mapping[str, np.ndarray], prefix: str) -> Table:
    return Table({name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)})


def _ledgers_to(part: Population | Projection) -> list[dict]:
    return [ledger.specification() for ledger in part.ledgers.values()]


def _ledgers_from(entries) -> dict[str, Ledger]:
    return {entry["name"]: Ledger.from_specification(entry) for entry in entries}


def _recipe_to(recipe: Recipe) -> dict:
    return {"wiring": recipe.wiring.specification(), "weight": _values_to(recipe.weight), "delay": _values_to(recipe.delay)}


def _recipe_from(entry: Mapping) -> Recipe:
    return Recipe(wiring.from_specification(entry["wiring"]), _values_from(entry["weight"]), _values_from(entry["delay"]))


def _values_to(values):
    if values is None or isinstance(values, (Distribution, Conduction)):
        return values and values.specification()
    return {"si": float(np.asarray(values)), "dimensions": exponents(get_dimensions(values))}


def _values_from(entry):
    if entry is None or "distribution" in entry:
        return entry and distributions.from_specification(entry)
    if "conduction" in entry:
        return conduction.from_specification(entry)
    return quantity(entry["si"], from_exponents(entry["dimensions"]))
