"""What learns on top of features: heads, losses, metrics, merging of dates, the optimiser."""
