"""JHCIS: its tables and code lists, how people and visits become rows, and its own traps."""
