"""Simulate circuits by C++ that Brian2 writes once for a structure, compiled to a library of this process, edited between epochs."""
