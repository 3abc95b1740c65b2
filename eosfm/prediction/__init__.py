"""Maps, tables and embeddings of whole scenes, by fitted tasks and the ensemble."""
