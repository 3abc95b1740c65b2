"""What a native copy is, and how it is read: facts, scenes, files, formats, sensors."""
