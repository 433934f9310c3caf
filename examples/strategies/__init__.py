"""Ten strategies, and the daily series that they run over."""
