"""What a home learns: whether its work has drifted, and how to fit it to the place where it stands."""
