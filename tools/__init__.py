"""The commands behind the Makefile. Notebook 3 imports the training loop of `long_runs`."""
