"""What several lessons share. Importing it installs nothing and changes no setting."""
