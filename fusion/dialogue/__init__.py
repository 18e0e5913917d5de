"""Questions about a report in plain words, answered from the report, the explainer and the graph; no language model."""
