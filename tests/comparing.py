"""Compare circuits bit for bit, for tests."""


def differences(one, other) -> list[str]:
    """Name everything in which two circuits differ: parts, columns, spikes in flight, ids issued, seed and time."""
    found = [key for key in ("seed", "step", "epoch", "dt_si") if getattr(one, key) != getattr(other, key)]
    if list(one.populations) != list(other.populations) or list(one.projections) != list(other.projections):
        return [*found, "parts"]
    for name, a in one.populations.items():
        b = other.populations[name]
        found += [f"{name}.{key}" for key in ("model", "sign", "shared") if getattr(a, key) != getattr(b, key)]
        found += _columns(name, a.cells, b.cells) + ([f"{name}.parents"] if a.parents.tobytes() != b.parents.tobytes() else [])
    for name, a in one.projections.items():
        b = other.projections[name]
        keys = ("source", "target", "synapse", "receptor", "newborn", "next_id", "shared")
        found += [f"{name}.{key}" for key in keys if getattr(a, key) != getattr(b, key)]
        found += _columns(name, a.synapses, b.synapses) + _columns(f"{name}.flight", a.flight, b.flight)
    return found


def _columns(name, one, other):
    return [
        f"{name}.{key}"
        for key in sorted({*one, *other})
        if not (key in one and key in other and one[key].dtype == other[key].dtype and one[key].tobytes() == other[key].tobytes())
    ]


def in_flight(circuit) -> int:
    """Count the spikes under way in a circuit."""
    return sum(len(projection.flight) for projection in circuit.projections.values())
