"""run: commands on many machines, each ended for certain when nobody waits for it any more."""
