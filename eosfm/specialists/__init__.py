"""Training one specialist."""
