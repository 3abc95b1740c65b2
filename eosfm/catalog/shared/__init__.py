"""What several native readers and recipes share: file formats, sensors, held-out scenes."""
