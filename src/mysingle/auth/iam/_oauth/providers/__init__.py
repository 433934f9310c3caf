"""The providers: one module for each way of saying who somebody is."""
