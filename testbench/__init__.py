"""Record everything a program takes from the world, once, and replay it exactly."""
