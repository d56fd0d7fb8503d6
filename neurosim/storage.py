"""Keep circuits and histories in files: NumPy archives without pickle, each with a manifest of hashes."""

import hashlib
import json
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurosim import distributions, wiring
from neurosim.circuit import Circuit
from neurosim.distributions import Distribution
from neurosim.models import CellModel, SynapseModel
from neurosim.population import Population
from neurosim.projection import Projection, Recipe
from neurosim.table import Table
from neurosim.units import exponents, from_exponents, get_dimensions, quantity

FORMAT = 1


def save_circuit(circuit: Circuit, path) -> Path:
    """Save a circuit without loss to one .npz file.

    The file is written whole or not at all. Raises OSError naming the folder where it cannot be written.
    """
    arrays, parts = {}, {"populations": [], "projections": []}
    for name, population in circuit.populations.items():
        parts["populations"].append(
            {"name": name, "model": population.model.specification(), "sign": population.sign, "shared": dict(population.shared)}
        )
        arrays |= {f"{name}/cells/{column}": values for column, values in population.cells.items()}
        arrays[f"{name}/parents"] = population.parents
    for name, projection in circuit.projections.items():
        parts["projections"].append(
            {
                "name": name, "source": projection.source, "target": projection.target, "synapse": projection.synapse.specification(),
                "receptor": projection.receptor.name, "newborn": projection.newborn, "recipe": _recipe_to(projection.recipe),
                "next_id": projection.next_id, "shared": dict(projection.shared),
            }
        )  # fmt: skip
        arrays |= {f"{name}/synapses/{column}": values for column, values in projection.synapses.items()}
        arrays |= {f"{name}/flight/{column}": values for column, values in projection.flight.items()}
    about = {"kind": "circuit", "seed": int(circuit.seed), "step": circuit.step, "epoch": circuit.epoch, "dt": circuit.dt_si, **parts}
    return write_archive(path, about, arrays)


def load_circuit(path) -> Circuit:
    """Load a circuit that save_circuit wrote.

    Raises FileNotFoundError for a missing file and ValueError for one that is damaged or not of neurosim.
    """
    about, arrays = read_archive(path, "circuit")
    populations = {}
    for entry in about["populations"]:
        name = entry["name"]
        model = CellModel.from_specification(entry["model"])
        populations[name] = Population(
            name, model, _table(arrays, f"{name}/cells/"), arrays[f"{name}/parents"], entry["sign"], entry["shared"]
        )
    projections = []
    for entry in about["projections"]:
        name = entry["name"]
        projections.append(
            Projection(
                name, entry["source"], entry["target"], SynapseModel.from_specification(entry["synapse"]),
                populations[entry["target"]].model.receptors[entry["receptor"]], entry["newborn"], _recipe_from(entry["recipe"]),
                _table(arrays, f"{name}/synapses/"), _table(arrays, f"{name}/flight/"), entry["next_id"], entry["shared"],
            )
        )  # fmt: skip
    return Circuit(list(populations.values()), projections, about["seed"], about["step"], about["epoch"], about["dt"])


def write_archive(path, about: Mapping, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write arrays and a description with the hash of each array to one .npz file, whole or not at all."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    manifest = {**about, "format": FORMAT, "sha256": {name: _digest(values) for name, values in arrays.items()}}
    text = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    except OSError as error:
        raise type(error)(error.errno, f"{path} cannot be written ({error.strerror}); choose a folder that you may write to") from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, manifest=text, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def read_archive(path, kind: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Read an archive and check its hashes; return its description and arrays."""
    path = Path(path)
    if not path.exists() and path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; give the path that the {kind} was saved to")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(arrays.pop("manifest").tobytes())
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or no {kind} of neurosim ({error}); give a file that neurosim saved") from None
    if about.get("kind") != kind or about.get("format") != FORMAT:
        raise ValueError(
            f"{path} holds a {about.get('kind')} in format {about.get('format')}, not a {kind} in format {FORMAT}; give another file"
        )
    for name, digest in about["sha256"].items():
        if name not in arrays or _digest(arrays[name]) != digest:
            raise ValueError(f"{path} is damaged: {name} does not match its hash; use another copy")
    return about, arrays


def _table(arrays: Mapping[str, np.ndarray], prefix: str) -> Table:
    return Table({name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)})


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(f"{values.dtype.str}{values.shape}".encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def _recipe_to(recipe: Recipe) -> dict:
    return {"wiring": recipe.wiring.specification(), "weight": _values_to(recipe.weight), "delay": _values_to(recipe.delay)}


def _recipe_from(entry: Mapping) -> Recipe:
    return Recipe(wiring.from_specification(entry["wiring"]), _values_from(entry["weight"]), _values_from(entry["delay"]))


def _values_to(values):
    if values is None or isinstance(values, Distribution):
        return values and values.specification()
    return {"si": float(np.asarray(values)), "dimensions": exponents(get_dimensions(values))}


def _values_from(entry):
    if entry is None or "distribution" in entry:
        return entry and distributions.from_specification(entry)
    return quantity(entry["si"], from_exponents(entry["dimensions"]))
