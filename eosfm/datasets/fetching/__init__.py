"""The download stage: archives fetched and unpacked, copies prepared, roots watched."""
