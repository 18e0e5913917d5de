"""What a text says around a mention: of whom, when, whether; where and how large; and the values that it gives."""
