"""JHCIS: what its tables hold, how it writes people and visits down, and the difficulties of its own."""
