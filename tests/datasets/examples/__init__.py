"""Dataset files as a newcomer would write them; a test adds them to the table."""
