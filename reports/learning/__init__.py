"""What a home learns, for the terminal and as figures."""
