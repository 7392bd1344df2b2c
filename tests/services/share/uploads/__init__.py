"""Tests of what visitors bring."""
