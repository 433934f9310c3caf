"""One module for each family of rules; `HANDLERS` of each says which nodes it looks at."""
