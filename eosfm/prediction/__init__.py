"""Maps, tables and feature cubes of whole scenes, from what the pipeline has fitted."""
