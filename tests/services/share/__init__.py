"""Tests of the service `share`."""
