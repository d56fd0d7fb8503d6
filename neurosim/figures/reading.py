"""Find in a recording or a history what a figure asks for, or say what there is instead and how to get it."""

import numpy as np

from neurosim.errors import near


def recording_of(data):
    """Return the recording in `data`: a Recording itself, or a History that kept one."""
    if hasattr(data, "names"):
        return data
    kept = getattr(data, "recording", None)
    if kept is None:
        raise ValueError(f"this {type(data).__name__} holds no recording to draw; give a recording, or a history with record=[...]")
    return kept


def the_one_with(recording, variable: str, name: str | None, what: str) -> str:
    """Return `name`, or the only name with a trace of `variable`; ValueError where that is none or several."""
    having = [each for each in recording.names if variable in recording[each].traces]
    if name in having:
        return name
    if name is None and len(having) == 1:
        return having[0]
    if name is None and having:
        raise ValueError(f"{variable} was traced in {_listed(having)}; choose one with {what}={having[0]!r}")
    traced = [f"{each}.{one}" for each in recording.names for one in recording[each].traces]
    where = f"of {what} {name!r}" if name is not None else f"of any {what}"
    example = name if name is not None else next(iter(recording.names), "name")
    slip = near(name, having) if name is not None and having else ""
    missing = f"no trace of {variable} {where} was recorded (traced: {_listed(traced)})"
    raise ValueError(f"{missing}; record it with ns.Trace({example!r}, {variable!r}).{slip}")


def rows_of(trace, ids, what: str, limit: int | None = None) -> np.ndarray:
    """Return the rows of `trace` for `ids`: all (or the first `limit`) for None, the first so many for an int, or those named."""
    known = np.asarray(trace.ids)
    if ids is None or isinstance(ids, (int, np.integer)):
        wanted = limit if ids is None else int(ids)
        if wanted is not None and not (ids is None or 1 <= wanted <= len(known)):
            raise ValueError(
                f"{wanted} {what} were asked for and {len(known)} were traced; ask for 1 to {len(known)}, or name ids in a list"
            )
        return np.arange(len(known))[:wanted]
    place = {int(one): row for row, one in enumerate(known)}
    wanted = [int(one) for one in np.atleast_1d(ids)]
    missing = [one for one in wanted if one not in place]
    if missing or not wanted:
        some = _listed(sorted(place)[:8]) + (" ..." if len(place) > 8 else "")
        raise ValueError(f"{what} {_listed(missing)} were not traced (traced: {some}); record them with ns.Trace(..., {what}=[...])")
    return np.array([place[one] for one in wanted], dtype=int)


def populations_with_spikes(recording, populations) -> list[str]:
    """Return the names of the populations whose spikes were recorded, or check those given."""
    having = [name for name in recording.names if recording[name].has_spikes]
    wanted = having if populations is None else [populations] if isinstance(populations, str) else list(populations)
    missing = [name for name in wanted if name not in having]
    if missing or not wanted:
        name = missing[0] if missing else next(iter(recording.names), "name")
        slip = near(name, having) if missing and having else ""
        none = f"no spikes of population {name!r} were recorded (spikes of: {_listed(having)})"
        raise ValueError(f"{none}; record them with ns.Spikes({name!r}).{slip}")
    return wanted


def population_of(history, name: str | None) -> str:
    """Return `name`, or the only population that changed, else the only one of cells; ValueError where that is none or several."""
    populations = history.circuit.populations
    if name is not None:
        return _known("population", name, populations)
    table = history.lineage
    changed = table["population"][(table["birth"] > history.census["epoch"].min()) | (table["death"] >= 0)]
    cells = [one for one, part in populations.items() if not part.model.source]
    for options in ([one for one in populations if one in changed], cells):
        if len(options) == 1:
            return options[0]
    if not cells:
        raise ValueError("this history has no population of cells to draw; develop a circuit with cells that are no spike sources")
    raise ValueError(f"this history has populations {_listed(cells)}; choose one with population={cells[0]!r}")


def projection_of(history, name: str | None) -> str:
    """Return `name`, or the only plastic projection, else the only projection; ValueError where that is none or several."""
    projections = history.circuit.projections
    if name is not None:
        return _known("projection", name, projections)
    for options in ([one for one, part in projections.items() if part.synapse.plastic], list(projections)):
        if len(options) == 1:
            return options[0]
    if not projections:
        raise ValueError("this history has no projection to draw; develop a circuit with projections")
    raise ValueError(f"this history has projections {_listed(projections)}; choose one with projection={next(iter(projections))!r}")


def _known(what: str, name: str, names) -> str:
    if name not in names:
        raise ValueError(f"{what} {name!r} is not in this history.{near(name, names)}")
    return name


def epochs_kept(history, epochs) -> list[int]:
    """Return the epochs whose circuits a history kept, all in order for None, or check those given."""
    kept = sorted(int(one) for one in history.kept)
    wanted = kept if epochs is None else [int(one) for one in np.atleast_1d(epochs)]
    missing = [one for one in wanted if one not in kept]
    if missing or not wanted:
        raise ValueError(f"the circuits of epochs {_listed(missing)} were not kept (kept: {_listed(kept)}); choose epochs among those kept")
    return wanted


def _listed(names) -> str:
    return ", ".join(str(name) for name in names) or "nothing"
