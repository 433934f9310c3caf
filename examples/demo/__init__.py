"""Starts the example services on real servers, uses them over HTTP, and shows what happened."""
