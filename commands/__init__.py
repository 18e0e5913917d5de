"""The verbs of the command line: parse, call, print.

``daily`` holds those of a clinician and an analyst (``detecting``: detect), ``explaining`` those that explain a report,
``keeping`` and ``ontology`` the nouns of a knowledge engineer, ``measuring`` the evaluations; ``terminal`` is what all
of them share, ``documents`` the texts that they read.
"""
