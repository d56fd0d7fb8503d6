"""Fit simplified cells to the spikes of others: candidates as one population, searches in stages, scores on data not seen."""

from neurosim.fitting.fit import Fitted, fit
from neurosim.fitting.scores import Score, Transfer, score, transfer
from neurosim.fitting.search import Found, Search

__all__ = ["Fitted", "Found", "Score", "Search", "Transfer", "fit", "score", "transfer"]
