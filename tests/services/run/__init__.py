"""Tests of the run service: real processes, ended for certain, on this machine only."""
