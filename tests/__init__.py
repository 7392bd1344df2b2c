"""Tests mirror src/lanline: the claims about lanline/<layer>/x.py stand in tests/<layer>/test_x.py."""
