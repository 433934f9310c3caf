"""The strategy language: compile, check, run, stream and sweep trading strategies that users write."""
