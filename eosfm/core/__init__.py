"""What every room stands on: band names, seeds, errors, files, jobs side by side."""
