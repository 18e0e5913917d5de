"""What a training leaves behind: scalars by step, and a card."""
