"""The attacks, one table for each subject."""
