"""A downstream task's frozen features: stored where they fit, encoded as needed elsewhere."""
