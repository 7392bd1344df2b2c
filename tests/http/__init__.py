"""Tests of `lanline.http`."""
