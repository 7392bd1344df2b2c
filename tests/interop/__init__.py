"""Tests against programs that know nothing of lanline."""
