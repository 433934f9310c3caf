"""What people see of the language: data files, tables, charts and the pages of the reference."""

__all__ = []
