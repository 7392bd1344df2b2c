"""The rules of the house, each a short test. What they read is in source.py."""
