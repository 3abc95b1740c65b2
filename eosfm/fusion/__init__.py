"""The trainable half of the ensemble: normalise, project, select and fuse pyramids."""
