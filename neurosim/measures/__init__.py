"""Measures on recordings and results: responses to stimuli, spike trains, membrane traces, survival, paired comparisons."""

from neurosim.measures.action_potentials import ONSET_SLOPE, ActionPotentials, action_potentials, upward_crossings
from neurosim.measures.coincidence import HIGHEST_CHANCE, Coincidence, coincidence, coincidence_factor, coincidences, matches
from neurosim.measures.comparison import POWERED, Comparison, paired_comparison
from neurosim.measures.continual import dormant, until_criterion
from neurosim.measures.development import ocular_dominance, overshoot
from neurosim.measures.distances import van_rossum, victor_purpura
from neurosim.measures.excitability import FiringOnset, fi_type
from neurosim.measures.graphs import reciprocity
from neurosim.measures.pairings import Pairings, best_sum, normalised_error
from neurosim.measures.patterns import FiringPattern, firing_pattern
from neurosim.measures.profiles import isi_distance, spike_distance, spike_synchronization
from neurosim.measures.proportions import binomial_interval
from neurosim.measures.responses import assign_labels, responses, vote
from neurosim.measures.survival import SURVIVAL, kaplan_meier
from neurosim.measures.synchrony import binned_counts, fano_factor, population_spectrum, synchrony
from neurosim.measures.trains import cv, latency, padded_trains, rate, spike_trains

__all__ = [
    "HIGHEST_CHANCE",
    "ONSET_SLOPE",
    "POWERED",
    "SURVIVAL",
    "ActionPotentials",
    "Coincidence",
    "Comparison",
    "FiringOnset",
    "FiringPattern",
    "Pairings",
    "action_potentials",
    "assign_labels",
    "best_sum",
    "binned_counts",
    "binomial_interval",
    "coincidence",
    "coincidence_factor",
    "coincidences",
    "cv",
    "dormant",
    "fano_factor",
    "fi_type",
    "firing_pattern",
    "isi_distance",
    "kaplan_meier",
    "latency",
    "matches",
    "normalised_error",
    "ocular_dominance",
    "overshoot",
    "padded_trains",
    "paired_comparison",
    "population_spectrum",
    "rate",
    "reciprocity",
    "responses",
    "spike_distance",
    "spike_synchronization",
    "spike_trains",
    "synchrony",
    "until_criterion",
    "upward_crossings",
    "van_rossum",
    "victor_purpura",
    "vote",
]
