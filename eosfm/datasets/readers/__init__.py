"""What several native readers share: file formats, sensors, held-out scenes."""
