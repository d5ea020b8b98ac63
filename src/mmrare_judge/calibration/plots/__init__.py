"""Plots as inline SVG, readable in print and by colour-blind readers."""
