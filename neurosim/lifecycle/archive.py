"""Keep a history in a folder: its tables, its first and last circuit, those at the ends of phases, and its recording."""

from collections import Counter
from pathlib import Path

from neurosim.events import Events
from neurosim.lifecycle.history import CENSUS, EVENT, History
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData
from neurosim.storage import load_circuit, read_archive, save_circuit, write_archive
from neurosim.units import exponents, from_exponents


def save_history(history: History, folder) -> Path:
    """Save a history to a folder that load_history reads.

    Raises OSError naming the file where the folder cannot be written.
    """
    folder = Path(folder)
    circuits = {"start": history.start, "now": history.circuit, **{f"phase_{n}": c for n, c in enumerate(history.circuits.values())}}
    for name, circuit in circuits.items():
        save_circuit(circuit, folder / f"circuit_{name}.npz")
    arrays = {"census": history.census, "events": history.events}
    arrays |= {f"measure/{name}": values for name, values in history.measures.items()}
    for epoch, events in enumerate(history.boundaries):
        arrays |= {f"boundary/{epoch}/{kind}/{name}": rows for (kind, name), rows in events.tables.items()}
    about = {
        "kind": "history", "epochs": len(history.boundaries), "phases": list(history.circuits), "measures": list(history.measures),
        "dropped": dict(history.dropped), "lost": dict(history.lost), "interrupted": history.interrupted, "recorded": bool(history.recordings),
    }  # fmt: skip
    if history.recordings:
        save_recording(history.recording, folder / "recording.npz")
    return write_archive(folder / "history.npz", about, arrays).parent


def load_history(folder) -> History:
    """Load a history that save_history wrote.

    Raises FileNotFoundError for a folder without one and ValueError for damaged files.
    """
    folder = Path(folder)
    about, arrays = read_archive(folder / "history.npz", "history")
    tables = [{} for _ in range(about["epochs"])]
    for key, rows in arrays.items():
        if key.startswith("boundary/"):
            _, epoch, kind, name = key.split("/")
            tables[int(epoch)][kind, name] = rows
    circuits = {phase: load_circuit(folder / f"circuit_phase_{n}.npz") for n, phase in enumerate(about["phases"])}
    return History(
        load_circuit(folder / "circuit_start.npz"), load_circuit(folder / "circuit_now.npz"),
        census_rows=[row.item() for row in arrays["census"].astype(CENSUS)], event_tables=[arrays["events"].astype(EVENT)],
        boundaries=[Events(table) for table in tables], measures={name: arrays[f"measure/{name}"] for name in about["measures"]},
        circuits=circuits, recordings=[load_recording(folder / "recording.npz")] if about["recorded"] else [],
        dropped=Counter(about["dropped"]), lost=Counter(about["lost"]), interrupted=about["interrupted"],
    )  # fmt: skip


def save_recording(recording: Recording, path) -> Path:
    """Save a recording to one .npz file."""
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
    return write_archive(path, about, arrays)


def load_recording(path) -> Recording:
    """Load a recording that save_recording wrote; raises as load_history does."""
    about, arrays = read_archive(path, "recording")
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
