"""Measurements, one file per claim, each with a peer measured in the same run: `python -m benchmarks.NAME`."""
