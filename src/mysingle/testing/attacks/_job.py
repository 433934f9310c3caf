"""What the two processes of a run call the files between them."""

__all__ = ["FACTS", "OUTPUT"]

FACTS = "facts.json"
OUTPUT = "output.txt"
