"""A service that keeps the trading strategies of its users."""
