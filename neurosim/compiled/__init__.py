"""Compiled libraries, kept between processes: build one or take it, list what there is, clear it (`python -m neurosim.compiled`)."""

from neurosim.compiled.build import Compiled, library
from neurosim.compiled.store import Entry, clear, entries

__all__ = ["Compiled", "Entry", "clear", "entries", "library"]
