"""The project's commands: `python -m tools` lists them. No notebook imports from here."""
