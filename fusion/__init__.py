"""The reasoner: evidence branches on a BERT trunk become diagnoses with measured evidence."""
