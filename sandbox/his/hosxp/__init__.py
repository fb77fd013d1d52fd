"""HOSxP: its tables and code lists, and how people and visits become rows."""
