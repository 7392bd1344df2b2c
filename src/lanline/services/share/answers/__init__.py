"""What visitors are answered: the page and its listing, files that are given once, standard input, removal."""
