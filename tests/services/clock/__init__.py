"""Tests of the service clock."""
