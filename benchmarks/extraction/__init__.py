"""What extraction finds, and whether it helps."""
