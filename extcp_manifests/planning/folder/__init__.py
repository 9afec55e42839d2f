"""The output folder: what is written, and how a folder changes all at once."""
