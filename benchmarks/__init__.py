"""Measurements of what the manager costs: ``python -m benchmarks``."""
