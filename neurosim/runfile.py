"""run.json: what runs in a folder, with which versions, when, and how it stands."""

import json
import platform
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from neurosim.files import PART, digest, json_bytes, read_json, understood, write_json
from neurosim.lock import NAME
from neurosim.specification import difference

FORMAT = 1
RUN = "run.json"
DECISIVE = ("neurosim", "brian2", "numpy")  # those whose version decides about the bits of a run
PACKAGES = (*DECISIVE, "scipy", "scikit-learn", "torch", "snntorch")
LEFT = (NAME, "circuits", "epochs", "recordings")  # what a run that was killed before it began leaves behind
SLACK = 60.0  # seconds by which the clocks of machines that share a folder may differ


def begun(folder: Path, go_on: str | None) -> bool:
    """Tell whether a run was begun in a folder.

    `go_on` says how to resume it, where that was not asked for. Raises FileExistsError for a run that is not to be resumed, and
    for something else that lies there.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, not a folder; choose another name")
    if (folder / RUN).exists():
        if go_on is not None:
            raise FileExistsError(f"folder {folder} holds a run already; {go_on} goes on with it, or choose another folder")
        return True
    left = LEFT if (folder / NAME).exists() else ()  # without the lock that a run takes first of all it is somebody else's
    others = sorted(path.name for path in folder.glob("*") if path.name not in left and not path.name.endswith(PART))
    if others:
        raise FileExistsError(f"folder {folder} holds other files ({', '.join(others[:3])}); choose a new or an empty folder")
    return False


def new_run(kind: str, specification: Mapping | None, **about) -> dict:
    """Return the content of run.json for a run that begins: its specification, a hash that names it, and versions."""
    specification = json.loads(json.dumps(specification))
    return {
        "format": FORMAT, "kind": kind, "run": digest(json.dumps(specification, sort_keys=True).encode()), "versions": _versions(),
        "python": platform.python_version(), **about, "state": "running", "sessions": [], "specification": specification,
    }  # fmt: skip


def read_run(folder: Path, kind: str) -> dict:
    """Return the content of a folder's run.json; raises FileNotFoundError, or ValueError if it was altered or is of another kind or format."""
    about = read_json(folder / RUN, "run")
    with understood(folder / RUN, "run"):
        if about["kind"] != kind:
            hint = f"; the lives of a study lie in {folder / 'lives'}" if about["kind"] == "study" else ""
            raise ValueError(f"{folder} is the folder of a {about['kind']}, not of a {kind}{hint}; give another folder")
        if about["format"] != FORMAT:
            made = about["versions"]["neurosim"]
            raise ValueError(f"{folder} is a run folder of format {about['format']}, made by neurosim {made}; read it with that version")
        if about.pop("own_sha256") != digest(json_bytes(about)):
            raise ValueError(f"{folder / RUN} is damaged or was altered: it does not match its hash; use another copy")
    return about


def check_same(folder: Path, about: Mapping, specification: Mapping, otherwise: str) -> None:
    """Raise ValueError where a run cannot be resumed because it would go on as another one; `otherwise` says what to do then."""
    with understood(folder / RUN, "run"):
        for name in DECISIVE:
            if about["versions"][name] != version(name):
                raise ValueError(
                    f"the run in {folder} was made with {name} {about['versions'][name]} and this is {version(name)}, so that it might go on "
                    f"otherwise; resume it with that version, or {otherwise}"
                )
        if about["specification"] is None:
            raise ValueError(f"{folder} holds a history that was saved, not a run that broke off; {otherwise}")
        if found := difference(json.loads(json.dumps(specification)), about["specification"]):
            raise ValueError(f"the run in {folder} was another one: {found}; resume it with what it was begun with, or {otherwise}")
        ended = datetime.fromisoformat(about["sessions"][-1]["ended"])
    if (ended - _now()).total_seconds() > SLACK:
        raise ValueError(f"the clock says {_text(_now())}, but {folder} was last written at {_text(ended)}; set the clock, then resume")


class Session:
    """Keep run.json while a run is under way: each session with its command, its times and how far it came."""

    def __init__(self, folder: Path, about: dict):
        self._path, self._about = folder / RUN, about
        self._clock = time.monotonic()  # which nobody sets back
        about["sessions"].append({"begun": _text(_now()), "command": sys.argv, "platform": platform.platform()})

    def note(self, state: str, **progress) -> None:
        """Note how things stand, and when."""
        self._about["state"] = state
        seconds = round(time.monotonic() - self._clock, 3)
        self._about["sessions"][-1] |= {"ended": _text(_now()), "seconds": seconds, **progress}
        write_json(self._path, self._about | {"own_sha256": digest(json_bytes(self._about))})


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # not needed by every run
    return found


def _now() -> datetime:
    return datetime.now(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
