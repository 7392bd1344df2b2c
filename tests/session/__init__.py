"""Tests of the session; `pair.py` is what they share."""
