"""Write models as files, to be loaded again."""

from __future__ import annotations

from pathlib import Path

from neurosim.files import write_whole
from neurosim.models.parts import Model


def save_model(model: Model, path: str | Path) -> None:
    """Write a cell or synapse model as a TOML file that `load_cell` or `load_synapse` reads.

    Raises ValueError for a path that does not end in .toml and FileExistsError for a file that is there already.
    """
    import tomli_w

    path = Path(path)
    if path.suffix != ".toml":
        raise ValueError(f"{path} is to hold a model; give a path that ends in .toml")
    if path.exists():
        raise FileExistsError(f"{path} exists; give another path, or remove it first")
    write_whole(path, tomli_w.dumps(dict(model.tables), multiline_strings=True).encode())
