"""Compare what a run's models make of the same traces: their layers, and the directions of steps between states."""
