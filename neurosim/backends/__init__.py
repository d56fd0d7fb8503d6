"""Carry out simulations: one module per simulator."""
