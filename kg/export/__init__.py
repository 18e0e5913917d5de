"""A graph shown and handed on: subgraphs, SPARQL, pictures."""
