"""The curated chest layer: its tables, how they are read, the labels of the public data sets."""
