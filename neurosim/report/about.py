"""Where a life comes from, for its report: state, versions, sessions, models with their sources, and the specification in words."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurosim.files import PART
from neurosim.lifecycle.pages import PLACES
from neurosim.lock import NAME
from neurosim.report.page import Markup, counted, details, heading, listing, paragraph, table, terms, verbatim
from neurosim.report.words import words
from neurosim.runfile import RUN


def notices(about: Mapping, lived: int) -> list[str]:
    """Return what is to be said of a run that is not finished, or of which no end is known."""
    state = about["state"]
    if state == "finished":
        return []
    planned = about["specification"] and sum(phase["epochs"] for phase in about["specification"]["life"]["phases"])
    so_far = f"after {lived} of {planned} epochs" if planned else f"after {lived} epochs"
    if state == "running":
        return [f"This run is not finished: this is how it stood {so_far}. It was under way, or was ended from outside."]
    what, _, why = state.partition(": ")
    if what == "interrupted":
        return [f"This run was interrupted {so_far}. The epoch that was then under way is not part of it."]
    return [f"This run {what} {so_far}: {why}"]


def occupied(folder: Path, besides: Sequence[str]) -> dict[str, int]:
    """Return the bytes of the files of a run folder, by sub-folder; a lock and what is named in `besides` do not count."""
    found = dict.fromkeys((*PLACES, "other files"), 0)
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).parts
        if path.is_file() and place[0] not in (NAME, *besides) and not path.name.endswith(PART):
            found[place[0] if len(place) > 1 and place[0] in PLACES else "other files"] += path.stat().st_size
    return found


def provenance(about: Mapping, history, files: Mapping[str, int]) -> list[Markup]:
    """Tell where the numbers come from."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    sizes = ", ".join(f"{name} {size:,}" for name, size in files.items() if size)
    pairs = [
        ("State", about["state"]),
        ("Run", about["run"]),
        ("Seed", str(about["seed"])),
        ("Versions", f"{versions}, Python {about['python']}"),
        ("Bytes on disk", f"{sum(files.values()):,} ({sizes})"),
    ]
    if history.branch:
        origin = f"epoch {history.branch['epoch']} of the run {history.branch['run']} in {history.branch['folder']}"
        pairs.insert(1, ("Branch", f"from {origin} (the path is relative to this folder)"))
    rows = [["session", "begun", "ended", "seconds", "epochs", "command", "platform"]]
    for number, one in enumerate(about["sessions"], start=1):
        command = shlex.join(one["command"])
        times = [one[what].replace("T", " ").replace("+00:00", " UTC") for what in ("begun", "ended")]
        rows.append([str(number), *times, f"{one['seconds']:.1f}", str(one.get("epochs", "")), command, one["platform"]])
    models = [["part", "model", "SHA-256 of the model"]]
    models += [[name, model.name, about["models"].get(name, "")] for name, model in _models(history).items()]
    references = list(dict.fromkeys(reference for model in _models(history).values() for reference in model.references))
    blocks = [terms(pairs), table("Sessions", rows), table("Models", models)]
    return [*blocks, heading("References of the models"), listing(references) if references else paragraph("The models name none.")]


def specified(about: Mapping, history) -> list[Markup]:
    """Tell in words what was asked for: the circuit, the phases with their rules, the inputs, what was recorded."""
    asked = about["specification"]
    recipes = asked["circuit"] if asked else {}
    start = history.start
    cells = [["population", "model", "cells", "sign"]]
    cells += [[name, part.model.name, str(len(part)), part.sign or "not declared"] for name, part in start.populations.items()]
    wired = [["projection", "from", "to", "model", "receptor", "synapses", "at a division"]]
    made = [["projection", "wiring", "weight", "delay"]]
    for name, part in start.projections.items():
        wired.append([name, part.source, part.target, part.synapse.name, part.receptor.name, str(len(part)), part.newborn])
        if recipes and recipes[name]["recipe"]:
            given = [recipes[name]["recipe"][what] for what in made[0][1:]]
            made.append([name, *("one by one" if value is None else words(value) for value in given)])
    blocks = [table("Populations at the start", cells)]
    blocks += [table("Projections at the start", wired)] if len(wired) > 1 else []
    blocks += [table("How projections are wired", made)] if len(made) > 1 else []
    if asked is None:
        said = f"What was asked for is not known: the history was saved after the life, and {RUN} holds no specification."
        return [*blocks, paragraph(said), *_described(history)]
    life = asked["life"]
    pairs = [("Length of an epoch", words(life["epoch"]))]
    for phase in life["phases"]:
        factors = [f"{name} = {words(factor)}" for name, factor in phase["modulate"].items()]
        pairs.append((f"Phase {phase['name']}", [counted(phase["epochs"], "epoch"), *map(words, phase["rules"]), *factors]))
    for what, key in (("Inputs", "inputs"), ("Recorded", "record"), ("Measured by", "measure"), ("Backend", "backend")):
        value = asked[key]
        pairs.append((what, list(map(words, value)) if isinstance(value, list) else words(value) if value else "nothing"))
    pairs = [(term, value if isinstance(value, str) else listing(value) if value else "nothing") for term, value in pairs]
    whole = details("Full specification (JSON)", verbatim(json.dumps(asked, indent=1, ensure_ascii=False)))
    return [*blocks, terms(pairs), *_described(history), whole]


def _models(history) -> dict:
    """Return the models of the parts of a circuit, by part."""
    start = history.start
    return {name: part.model for name, part in start.populations.items()} | {name: part.synapse for name, part in start.projections.items()}


def _described(history) -> list[Markup]:
    """Return each model once, with its equations and parameters, to be opened by whoever wants to look."""
    blocks = []
    for model in {model.hash: model for model in _models(history).values()}.values():
        rows = [["parameter", "value", "meaning", "source"]]
        rows += [[name, one.text or "to be given", one.meaning, one.source or ""] for name, one in model.parameters.items()]
        inside = [verbatim(model.equations.strip())] if model.equations.strip() else []
        inside += [table(f"Parameters of {model.name}", rows)] if len(rows) > 1 else []
        if inside:
            blocks.append(details(f"Model {model.name}: {model.summary}", *inside))
    return blocks
