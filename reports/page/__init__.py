"""The page of a report: what it is given, its picture, its drawings, its style and script, and how it is printed."""
