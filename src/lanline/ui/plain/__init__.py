"""What `lanline serve` is made of: what is served, where, by how many processes, and who is told of it."""
