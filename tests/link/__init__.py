"""Tests of links and channels over every local transport, on both event loops and in virtual time."""
