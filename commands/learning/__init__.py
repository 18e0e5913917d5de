"""The verbs by which a home learns: adapt, worklist, monitor, runs."""
