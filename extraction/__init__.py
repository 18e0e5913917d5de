"""Relations read out of texts: which findings, treatments and places go with a disease, each with where it stands."""
