"""Tests of layer 3. What every transport must do is in `test_conformance.py`."""
