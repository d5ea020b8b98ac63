"""A calibration study: grades and gold joined, everything measured, a verdict on it."""
