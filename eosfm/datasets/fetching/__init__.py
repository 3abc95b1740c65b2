"""A dataset's files on disk: downloaded, unpacked, listed and checked."""
