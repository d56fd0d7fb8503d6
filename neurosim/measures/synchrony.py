"""Synchrony of a population: spikes in bins, their variance, and the spectrum of the population rate."""

import numpy as np

from neurosim.measures.trains import ROUNDING, positive, spike_times
from neurosim.recording import Recording
from neurosim.units import Hz, Quantity, quantity, second, whole_steps


def binned_counts(recording: Recording, population: str, width: Quantity) -> np.ndarray:
    """Count the spikes of each cell in bins of `width` from the recording's start, shape (cells, bins); an incomplete last bin is left out.

    Cells are in the order of ``recording[population].ids``. Raises ValueError for a width that is not a whole number of time steps or
    longer than the recording, and where the spikes were not recorded.
    """
    part = recording[population]
    positive(width, second, "width of the bins")
    length = whole_steps(width, recording.dt_si, "width of the bins")
    bins = (recording.stop_step - recording.start_step) // length
    if not bins:
        raise ValueError(f"the bins are {width!s} wide, but the recording lasts {recording.duration!s}; take narrower bins.")
    spikes = part.spikes
    place = (spikes.step - recording.start_step) // length
    cell = np.searchsorted(part.ids, spikes.id)
    inside = place < bins
    return np.bincount(cell[inside] * bins + place[inside], minlength=len(part.ids) * bins).reshape(len(part.ids), bins)


def synchrony(values) -> float:
    """Return how synchronous a population is: 1 if all cells do the same, about 1/sqrt(n) if n cells are independent.

    `values` has shape (cells, samples): membrane potentials (a quantity) or spikes in bins. It is chi of Golomb & Rinzel 1994
    (doi:10.1016/0167-2789(94)90214-3): the standard deviation over time of the population's mean over the root of the mean variance of
    the cells. NaN if no cell changes. Raises ValueError for another shape, for NaN and for fewer than two cells or samples.
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"values have shape {table.shape}; give two cells and two samples at least, shape (cells, samples).")
    if not np.isfinite(table).all():
        raise ValueError("values hold NaN or infinity; take cells that exist throughout.")
    single = table.var(axis=1).mean()
    return float(np.sqrt(table.mean(axis=0).var() / single)) if single else float("nan")


def fano_factor(counts) -> float:
    """Return the variance over time of the population's number of spikes in a bin over its mean.

    `counts` has shape (cells, bins). It is 1 for independent Poisson cells and n for n cells that fire together. NaN without any spike.
    Raises ValueError for another shape and fewer than two bins.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"counts have shape {table.shape}; give two bins at least, shape (cells, bins).")
    total = table.sum(axis=0)
    return float(total.var() / total.mean()) if total.any() else float("nan")


def population_spectrum(
    times: Quantity, duration: Quantity, width: Quantity = 1e-3 * second, segment: Quantity = 1 * second
) -> tuple[Quantity, np.ndarray]:
    """Return frequencies and the power of the population rate there, relative to that of a Poisson process of the same rate, which is 1.

    `times` are the spikes of all cells, sorted, from 0 to `duration`; they are counted in bins of `width`, and spectra of stretches
    of length `segment` (its inverse is the resolution) that overlap by half are averaged (Welch 1967, doi:10.1109/TAU.1967.1161901;
    Hann window, mean removed). n cells that fire together give n. Frequencies lie between 0 and 1/(2 width), both left out. Raises
    TypeError for a wrong dimension, ValueError for times that are not sorted or outside, no spike at all, and lengths that do not fit.
    """
    from scipy.signal import welch  # takes a second to import

    end = positive(duration, second, "duration")
    bin_width, stretch = positive(width, second, "width of the bins"), positive(segment, second, "segment")
    si = spike_times(times, "the population", stop=end, together=True)
    bins, samples = round(end / bin_width), round(stretch / bin_width)
    if not 4 <= samples <= bins:
        raise ValueError(
            f"the segment of {stretch:g} s holds {samples} bins and the duration of {end:g} s {bins}; take a segment of 4 bins at least "
            f"and not longer than the duration."
        )
    if not len(si):
        raise ValueError("the population has no spike, and its spectrum is relative to its rate; give one that fires.")
    counts = np.bincount((si / bin_width + ROUNDING).astype(np.int64), minlength=bins)[:bins]
    frequencies, density = welch(counts / bin_width, fs=1 / bin_width, nperseg=samples, return_onesided=False)
    inside = (frequencies > 0) & (frequencies < 0.5 / bin_width)
    return quantity(frequencies[inside], Hz.dim), density[inside] / (len(si) / end)
