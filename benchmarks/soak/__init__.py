"""The long counts of what must be withstood: ``python -m benchmarks.soak``."""
