"""The backbone in other libraries' hands."""
