"""The report of a run folder: one page of HTML, with figures, tables and provenance, that is read without anything else."""

from pathlib import Path

from tqdm import tqdm

from neurosim.files import understood, write_whole
from neurosim.lifecycle import summary
from neurosim.lifecycle.folder import load_history
from neurosim.report.about import notices, occupied, provenance, specified
from neurosim.report.album import Album
from neurosim.report.figures import balance, cells, kept, measures, sizes, survival, synapses
from neurosim.report.page import Markup, Section, counted, page, paragraph, table
from neurosim.report.recording import recorded
from neurosim.runfile import RUN, read_run

REPORT, FIGURES = "report.html", "figures"


def write_report(folder) -> Path:
    """Write a report of the life in a run folder to report.html in that folder, and its figures to figures/; return its path.

    Each figure is kept as PNG and PDF with its data as CSV. The page needs no other file, no network and no script; the same
    content of the folder gives the same bytes. A run that is not finished can be reported too, and the page then says so. Raises FileNotFoundError for a folder without a run,
    ValueError for one that is damaged or not of a life, OSError where the report cannot be written.
    """
    folder = Path(folder)
    about, history = read_run(folder, "life"), load_history(folder)
    # Every figure asks for the last circuit, which would be read from its file each time.
    history.circuits_kept[history.epochs[-1].number] = history.circuit
    files = occupied(folder, besides=(REPORT, FIGURES))
    with understood(folder / RUN, "run"):
        notice = notices(about, len(history.epochs) - 1)
        origin = [Section("Provenance", provenance(about, history, files)), Section("What was asked for", specified(about, history))]
    phases = table("Phases; measures are those of a phase's last epoch", summary.phases(history))
    sections = [Section("Summary", [phases, *_notes(history)])]
    if len(history.epochs) > 1:
        with tqdm(desc="report", unit=" figures", delay=2, leave=False) as bar:
            sections += _lived(history, Album(folder / FIGURES, bar.update), files["recordings"])
    title = f"Report of the run {folder.resolve().name}"
    write_whole(folder / REPORT, page(title, notice, _lead(about, history), [*sections, *origin]))
    return folder / REPORT


def _lived(history, album: Album, recorded_bytes: int) -> list[Section]:
    """Return the sections on a life of one epoch or more."""
    tables = {title: rows for title, rows in summary.sections(history)}
    happened = _tabled("events by rule", tables) or [paragraph("No event was carried out.")]
    activity = _tabled("activity in the last epoch of each phase", tables)
    survived = _tabled("survival", tables, "How long cells and synapses live")
    return [
        Section("What happened", [*happened, *sizes(history, album)]),
        Section("Cells", cells(history, album)),
        Section("Synapses", [*_tabled("connectivity at the end of each phase", tables), *synapses(history, album)]),
        Section("Survival", [*survived, *survival(history, album)]),
        Section("Activity", [*activity, *balance(history, album), *kept(history, album), *recorded(history, album, recorded_bytes)]),
        Section("Measures", measures(history, album)),
    ]


def _lead(about, history) -> str:
    """Return in one paragraph what kind of life this is."""
    first, last = history.epochs[0], history.epochs[-1]
    lived = counted(len(history.epochs) - 1, "epoch") + f" in {counted(len(history.phases), 'phase')}"
    sizes = [
        f"{name} {history.series(name)['size'][0]:,} to {history.series(name)['size'][-1]:,} cells"
        for name in first.cells
        if name not in first.sources
    ]
    branch = f" It branched from epoch {history.branch['epoch']} of the run in {history.branch['folder']}." if history.branch else ""
    events = sum(len(epoch.events) for epoch in history.epochs)
    return (
        f"A life of {lived}, {last.time - first.time:.6g} s of simulated time, with seed {about['seed']}: {', '.join(sizes)}; "
        f"{counted(events, 'event')} at the boundaries.{branch}"
    )


def _notes(history) -> list[Markup]:
    notes = [f"Proposed events in conflict, which were not carried out: {_counts(history.dropped)}."] if history.dropped else []
    notes += [f"Spikes in flight that were lost with their synapses: {_counts(history.lost)}."] if history.lost else []
    return [paragraph(note) for note in notes or ["No event was dropped and no spike in flight was lost."]]


def _counts(counts) -> str:
    return "; ".join(f"{count:,} {name}" for name, count in counts.items())


def _tabled(title: str, tables, caption: str = "") -> list[Markup]:
    """Return a table of the summary, unless it is empty."""
    rows = tables[title]
    return [table(caption or f"{title[0].upper()}{title[1:]}", rows)] if len(rows) > 1 else []
