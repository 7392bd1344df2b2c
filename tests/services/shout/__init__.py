"""Tests of the service shout."""
