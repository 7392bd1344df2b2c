"""Tests of what the owner says and is told."""
