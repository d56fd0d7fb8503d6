"""What was recorded of a life, for its report: as much of it as can be read at the width of a column."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim import figures
from neurosim.recording import PartRecording, Recording
from neurosim.report.album import Album
from neurosim.report.page import Markup, counted, gallery, paragraph

BYTES = 100_000_000  # of files up to which the recordings of all epochs are read
SPIKES, CELLS = 100, 400  # of a cell, and cells, in a raster in which single spikes can be told apart
SECONDS, TRAINS = 2.0, 60  # of a membrane potential, and spikes of a cell, up to which it is more than a black band
SAMPLES = 20_000  # of a weight, beyond which its file of data grows large
SYNAPSES = 15  # whose weights can be told apart
DRAWN = ("v", "theta", "weight")


@dataclass(frozen=True)
class Kind:
    """Hold a kind of recording: whether a part has it, whether it is legible in so many seconds, and how it is drawn."""

    what: str
    there: Callable[[PartRecording], bool]
    legible: Callable[[PartRecording, float], bool]
    draw: Callable


def recorded(history, album: Album, size: int) -> list[Markup]:
    """Draw what was recorded: the whole life where it is legible, else its last epoch, else a sentence.

    `size` is the bytes of the files in which the recordings lie.
    """
    if not history.recordings:
        return [paragraph("Nothing was recorded over this life; ns.develop(..., record=[...]) asks for it.")]
    last = history.recordings[-1]
    last = last() if callable(last) else last
    spans = {f"epoch {history.epochs[-1].number}": (last, last)}
    if size <= BYTES:
        # Figures learn from the history which cells lived when, and which synapses descend from which.
        spans = {"the whole life": (history.recording, history)} | spans
    pictures, said = [], []
    for kind in KINDS:
        for name in last.names:
            having = [(span, one, data) for span, (one, data) in spans.items() if kind.there(one[name])]
            fitting = [(span, one, data) for span, one, data in having if kind.legible(one[name], float(one.duration))]
            if fitting:
                pictures.append(kind.draw(album, *fitting[0], name))
            elif having:
                said.append(f"The {kind.what} of {name} cannot be read at the width of a column, so that it is not drawn.")
    longest, _ = next(iter(spans.values()))
    if still := [name for name in last.names if longest[name].has_spikes and not len(longest[name].spikes)]:
        said.append(f"No cell of {' and '.join(still)} spiked while spikes were recorded.")
    if size > BYTES:
        said.append(f"The recordings take {size / 1e6:,.0f} MB, so that only the last is looked at.")
    others = [f"{name}.{variable}" for name in last.names for variable in last[name].traces if variable not in DRAWN]
    if others:
        said.append(f"Also traced, and read with ns.load_history(...).recording: {', '.join(others)}.")
    return [*([gallery(pictures)] if pictures else []), *map(paragraph, said)]


def _few_spikes(part: PartRecording, seconds: float) -> bool:
    return len(part.spikes) <= SPIKES * len(part.ids) and len(part.ids) <= CELLS


def _short(part: PartRecording, seconds: float) -> bool:
    return seconds <= SECONDS and part.counts.sum() <= TRAINS * len(part.counts)


def _traced(variable: str) -> Callable[[PartRecording], bool]:
    return lambda part: variable in part.traces and len(part.trace(variable).ids) > 0


def _raster(album: Album, span: str, recording: Recording, data, name: str) -> Markup:
    part = recording[name]
    caption = (
        f"{counted(len(part.spikes), 'spike')} of {counted(len(part.ids), 'cell')} in {float(recording.duration):.4g} s; their rate below."
    )
    return album(f"raster_{name}", lambda: figures.raster(data, name), f"Spikes of {name} in {span}", caption)


def _membrane(album: Album, span: str, recording: Recording, data, name: str) -> Markup:
    trace = recording[name].trace("v")
    values = trace.si[np.isfinite(trace.si)] * 1e3
    caption = f"{counted(len(trace.ids), 'cell')} traced; samples lie between {values.min(initial=np.inf):.1f} and {values.max(initial=-np.inf):.1f} mV."
    caption = caption.replace("-", "−")
    return album(f"membrane_{name}", lambda: figures.membrane(data, name), f"Membrane potential in {name} in {span}", caption)


def _weights(album: Album, span: str, recording: Recording, data, name: str) -> Markup:
    ids = recording[name].trace("weight").ids
    traced = f"The first {SYNAPSES} of {len(ids):,} synapses" if len(ids) > SYNAPSES else counted(len(ids), "synapse")
    caption = f"{traced} traced; a circle is a birth, a cross a death."
    shown = ids[:SYNAPSES].tolist()
    return album(f"weights_{name}", lambda: figures.weights(data, name, shown), f"Weights of single synapses of {name} in {span}", caption)


KINDS = (
    Kind("weight trace", _traced("weight"), lambda part, seconds: len(part.trace("weight").steps) <= SAMPLES, _weights),
    Kind("raster", lambda part: part.has_spikes and len(part.spikes) > 0, _few_spikes, _raster),
    Kind("membrane potential", _traced("v"), _short, _membrane),
)
