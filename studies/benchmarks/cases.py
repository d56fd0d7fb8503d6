"""The networks and the cells of the benchmarks, described once for every simulator.

All networks are balanced, and a fifth of their cells inhibits. Numbers are in SI units; weights are volts for cells of
kind "cuba" and siemens for the others. Wirings, first weights, delays, currents and states come from generators with fixed seeds, so
that every simulator gets the same ones.
"""

from dataclasses import dataclass

import numpy as np

DT = 1e-4
POTENTIATION, DEPRESSION = 0.005, 0.002617  # of a pair, as shares of the largest weight: models/synapses/stdp_pair.toml
GATES = {"m": 0.009732, "h": 0.99756, "n": 0.027074}  # of cells of Traub and Miles at -65 mV
ALONE = {  # cells by themselves: lowest and highest current, lowest and highest first potential, the rest of the first state
    "traub_miles": ((0.0, 0.6e-9), (-70e-3, -60e-3), GATES),
    "hodgkin_huxley": ((1e-9, 4e-9), (-70e-3, -60e-3), {"m": 0.05293, "h": 0.59612, "n": 0.31768}),
    "adex": ((0.6e-9, 1.4e-9), (-70e-3, -55e-3), {"w": 0.0}),
    "leaky": ((0.09e-9, 0.25e-9), (-60e-3, -50e-3), {}),
}


@dataclass(frozen=True)
class Network:
    """Hold a network: kind and number of cells, connection probability, weights, delays (shortest, longest), and what acts on it.

    `probability` fixes the number of synapses; which pairs they join is random. With `plastic` the excitatory synapses learn by
    the pair rule of models/synapses/stdp_pair.toml, from weights spread evenly between 0 and twice `exc`. `drive` is the
    rate and weight of each cell's own Poisson input, None for none, `rest` the leak reversal potential.
    """

    kind: str
    cells: int
    probability: float
    exc: float
    inh: float
    rest: float
    delays: tuple[float, float] = (DT, DT)
    plastic: bool = False
    drive: tuple[float, float] | None = None

    @property
    def excitatory(self) -> int:
        """The number of excitatory cells, which come first."""
        return self.cells - self.cells // 5

    @property
    def synapses(self) -> dict[str, dict[str, np.ndarray]]:
        """The synapses of "exc" and of "inh" cells, sorted by pre, then post: pre, post (numbered over all cells), weight, delay."""
        sides = {"exc": (0, self.excitatory, self.exc), "inh": (self.excitatory, self.cells, self.inh)}
        return {name: self._wired(*side, np.random.default_rng(place)) for place, (name, side) in enumerate(sides.items())}

    def _wired(self, first: int, stop: int, weight: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
        pairs = (stop - first) * self.cells
        size = round(self.probability * pairs)
        chosen = np.sort(rng.choice(pairs, size, replace=False, shuffle=False))
        learning = self.plastic and first == 0
        low, high = (round(delay / DT) for delay in self.delays)
        return {
            "pre": first + chosen // self.cells,
            "post": chosen % self.cells,
            "weight": rng.uniform(0, 2 * weight, size) if learning else np.full(size, weight),
            "delay": rng.integers(low, high + 1, size) * DT,
        }

    def state(self, seed: int) -> dict[str, np.ndarray]:
        """Draw a first state of all cells: v, gates (kind \"cobahh\"), and conductances of an active network (kind \"coba\", which would stay silent)."""
        rng = np.random.default_rng(seed)
        if self.kind == "cuba":
            return {"v": rng.uniform(-60e-3, -50e-3, self.cells)}
        state = {"v": rng.normal(self.rest - 5e-3, 5e-3, self.cells)}
        if self.kind == "cobahh":
            return state | {name: np.full(self.cells, value) for name, value in GATES.items()}
        g_exc, g_inh = rng.normal(40e-9, 15e-9, self.cells), rng.normal(200e-9, 120e-9, self.cells)
        return state | {"g_exc": np.maximum(g_exc, 0), "g_inh": np.maximum(g_inh, 0)}

    def observed(self, duration: float, spikes: dict[str, int], weight: np.ndarray | None) -> dict[str, float]:
        """Sum up a run for comparison: rates (Hz) of both populations, and what became of plastic weights.

        `spikes` are the numbers of spikes of "exc" and "inh", `weight` the learning weights in the order of `synapses`; those are
        given as shares of the largest: mean, and mean of the absolute change.
        """
        sizes = {"exc": self.excitatory, "inh": self.cells - self.excitatory}
        found = {f"rate of {name}": spikes[name] / sizes[name] / duration for name in sizes}
        if self.plastic:
            first = self.synapses["exc"]["weight"]
            found["mean weight"] = weight.mean() / (2 * self.exc)
            found["mean change of weights"] = np.abs(weight - first).mean() / (2 * self.exc)
        return {name: float(value) for name, value in found.items()}


def stdp(synapses: int, cells: int) -> Network:
    """Return a network with so many learning synapses (and a quarter as many that inhibit) that fires at some Hz.

    Weights fall with the number of synapses of a cell, so that networks of all sizes get about the same input.
    """
    probability = synapses / (cells * (cells - cells // 5))
    scale = 100 * cells / synapses
    return Network("cuba", cells, probability, 0.5e-3 * scale, 4e-3 * scale, -60e-3, (0.5e-3, 2e-3), plastic=True, drive=(1000.0, 2.5e-3))


def brette(kind: str, cells: int = 4000) -> Network:
    """Return a benchmark network of Brette et al. (2007): "cuba", "coba" or "cobahh", with delays of one time step for everyone.

    That is the shortest delay all simulators have; in smaller networks the probability rises so that cells get as many synapses.
    """
    probability = 0.02 * 4000 / cells
    if kind == "cuba":
        return Network(kind, cells, probability, 1.62e-3, 9e-3, -49e-3)
    return Network(kind, cells, probability, 6e-9, 67e-9, -60e-3)


@dataclass(frozen=True)
class Uncoupled:
    """Hold cells without synapses: the model file in models/cells, how many there are, and for how many time steps they run."""

    kind: str
    cells: int
    steps: int

    @property
    def duration(self) -> float:
        """How long they run, in seconds."""
        return self.steps * DT

    @property
    def current(self) -> np.ndarray:
        """The constant current of each cell (amperes): evenly spread, in a random order, so that neighbours do not spike together."""
        (low, high), _, _ = ALONE[self.kind]
        return np.random.default_rng(0).permutation(np.linspace(low, high, self.cells))

    def state(self, seed: int) -> dict[str, np.ndarray]:
        """Draw a first state of all cells: v of each, and the other variables, which are those of rest."""
        _, bounds, others = ALONE[self.kind]
        v = np.random.default_rng(seed).uniform(*bounds, self.cells)
        return {"v": v} | {name: np.full(self.cells, value) for name, value in others.items()}

    def observed(self, rows: np.ndarray, times: np.ndarray) -> dict[str, float]:
        """Sum up a run for comparison by its spikes (rows and s): rate (Hz), share of cells that fire, mean time of the first spike (s)."""
        order = np.argsort(times, kind="stable")
        firing, first = np.unique(rows[order], return_index=True)
        found = {"rate": len(rows) / self.cells / self.duration, "share that fires": len(firing) / self.cells}
        return found | {"first spike": float(np.mean(times[order][first]))}
