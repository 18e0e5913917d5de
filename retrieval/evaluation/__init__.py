"""How well papers are found: collections of judged questions in BEIR layout, and the measures."""
