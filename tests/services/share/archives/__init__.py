"""Tests of what makes archives of shared folders."""
