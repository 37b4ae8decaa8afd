"""What README.md and docs/ say is so."""
