"""Tests of what visitors are answered."""
