"""Files that visitors bring: PUT, forms, and uploads that go on after a cut. `assembly.py` puts them together."""
