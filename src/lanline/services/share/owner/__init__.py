"""Between a share and its owner: what he asked for, where it is served, what he is told and what is logged."""
