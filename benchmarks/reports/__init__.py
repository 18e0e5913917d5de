"""What the outputs of a report cost."""
