"""HOSxP: what its tables hold, and how it writes people and visits down."""
