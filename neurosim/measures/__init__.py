"""Measures on recordings and results: responses to stimuli, spike trains, membrane traces, survival, paired comparisons."""

from neurosim.measures.coincidence import Coincidence, coincidence, coincidence_factor, coincidences, matches
from neurosim.measures.comparison import POWERED, Comparison, paired_comparison
from neurosim.measures.responses import assign_labels, responses, vote
from neurosim.measures.survival import SURVIVAL, kaplan_meier

__all__ = [
    "POWERED",
    "SURVIVAL",
    "Coincidence",
    "Comparison",
    "assign_labels",
    "coincidence",
    "coincidence_factor",
    "coincidences",
    "kaplan_meier",
    "matches",
    "paired_comparison",
    "responses",
    "vote",
]
