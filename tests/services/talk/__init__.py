"""Tests of the word `talk` and its pieces."""
