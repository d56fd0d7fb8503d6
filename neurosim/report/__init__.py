"""The report of a run folder: one page of HTML with figures, tables and provenance, and the figures as files."""

from neurosim.report.life import write_report

__all__ = ["write_report"]
