"""The commands behind the Makefile. No notebook imports from here."""
