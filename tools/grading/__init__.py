"""Grading submitted notebooks: put checks back, run under limits, give points."""
