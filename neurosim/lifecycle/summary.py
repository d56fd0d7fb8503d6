"""A history in words and tables, for a terminal."""

from collections.abc import Sequence

import numpy as np


def text(history) -> str:
    """Return the table of phases, with notes on what was dropped and on an interruption."""
    return "\n".join([table(history), *notes(history)])


def notes(history) -> list[str]:
    """Return what a table does not tell: what was dropped, and whether the life was interrupted."""
    found = [f"dropped: {'; '.join(f'{count} {cause}' for cause, count in history.dropped.items())}"] if history.dropped else []
    return found + (["interrupted: the epoch under way is not part of this history"] if history.interrupted else [])


def table(history, cells: Sequence[str] | None = None, synapses: Sequence[str] | None = None) -> str:
    """Return a table with a line for each phase: epochs, cells and synapses at its end, births and deaths, measures.

    `cells` and `synapses` name the populations and projections that count; None: all but spike sources, and all.
    Births and deaths are of cells. A measure is that of the phase's last epoch.
    """
    return aligned(phases(history, cells, synapses))


def phases(history, cells: Sequence[str] | None = None, synapses: Sequence[str] | None = None) -> list[list[str]]:
    """Return that table as rows of texts, headers first."""
    if cells is None:
        cells = [name for name in history.epochs[0].cells if name not in history.epochs[0].sources]
    synapses = list(history.epochs[0].born) if synapses is None else synapses
    measures = history.measures
    rows = [["phase", "epochs", "cells", "synapses", "births", "deaths", *measures]]
    begin = history.epochs[0].number
    for phase, first, last in [("start", begin, begin), *history.phases]:
        sums = [_sum(history, cells, "size", last, last), _sum(history, synapses, "size", last, last)]
        sums += [_sum(history, cells, column, first, last) for column in ("births", "deaths")]
        measured = [series[last - begin - 1] if last > begin else np.nan for series in measures.values()]
        epochs = last - first + 1 if last > begin else 0
        rows.append([phase, str(epochs), *map(str, sums), *("" if np.isnan(value) else f"{value:.3f}" for value in measured)])
    return rows


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows of texts as a table: the first columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [cell.ljust(width) if place < left else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _sum(history, names: Sequence[str], column: str, first: int, last: int) -> int:
    rows = [series[(series["epoch"] >= first) & (series["epoch"] <= last)] for series in map(history.series, names)]
    return int(sum(part[column].sum() for part in rows))


def report(history) -> str:
    """Return what happened in a life: phases, events by rule, activity, connectivity and survival."""
    parts = [f"{title}\n{aligned(rows)}" if len(rows) > 1 else f"{title}: none" for title, rows in sections(history)]
    return "\n\n".join([text(history), *parts])


def sections(history) -> list[tuple[str, list[list[str]]]]:
    """Return the tables of a report after that of the phases, each a title and rows of texts, headers first."""
    return [
        ("events by rule", _events(history)),
        ("activity in the last epoch of each phase", _activity(history)),
        ("connectivity at the end of each phase", _connectivity(history)),
        ("survival", _survival(history)),
    ]


def _events(history) -> list[list[str]]:
    events = history.events
    rows = [["rule", "event", "where", "events", "epochs"]]
    found, which = np.unique(events[["rule", "kind", "where"]], return_inverse=True)
    for number, (rule, kind, where) in enumerate(found.tolist()):
        epochs = events["epoch"][which == number]
        rows.append([rule or "(no rule)", kind, where, str(len(epochs)), _span(epochs)])
    return rows


def _span(epochs: np.ndarray) -> str:
    first, last = epochs.min(), epochs.max()
    return f"{first}-{last}" if first < last else str(first)


def _activity(history) -> list[list[str]]:
    rows = [["phase", "population", "cells", "spikes", "rate (Hz)", "silent", "CV of intervals"]]
    activity = history.activity
    for phase, _, last in history.phases:
        for row in activity[activity["epoch"] == last]:
            rates = (f"{row['rate']:.3g}", f"{row['silent']:.1%}", f"{row['cv']:.2f}")
            rows.append([phase, str(row["name"]), str(row["cells"]), str(row["spikes"]), *("" if one == "nan" else one for one in rates)])
    return rows


def _connectivity(history) -> list[list[str]]:
    rows = [["phase", "projection", "synapses", "in-degree", "out-degree", "turnover", "synaptic events"]]
    table, begin = history.connectivity, history.epochs[0].number
    for phase, first, last in [("start", begin, begin), *history.phases]:
        for row in table[table["epoch"] == last]:
            own = table[(table["name"] == row["name"]) & (table["epoch"] >= first) & (table["epoch"] <= last)]
            degrees = (f"{row[f'{end}_mean']:.1f} ± {row[f'{end}_sd']:.1f}" for end in ("in", "out"))
            turnover = "" if last == begin else f"{np.nanmean(own['turnover']):.1%}" if np.isfinite(own["turnover"]).any() else ""
            rows.append([phase, str(row["name"]), str(row["synapses"]), *degrees, turnover, str(own["events"].sum())])
    return rows


def _survival(history) -> list[list[str]]:
    rows = [["part", "ever lived", "died", "alive after 1 epoch", "median life (epochs)"]]
    for name in (*history.epochs[0].cells, *history.epochs[0].born):
        curve = history.survival(name)
        if not curve["deaths"].sum():
            continue
        half = curve["age"][curve["fraction"] <= 0.5]
        first = f"{curve['fraction'][1]:.1%}" if len(curve) > 1 else ""
        rows.append(
            [name, str(curve["at_risk"][0]), str(curve["deaths"].sum()), first, str(half[0]) if len(half) else f"> {curve['age'][-1]}"]
        )
    return rows
