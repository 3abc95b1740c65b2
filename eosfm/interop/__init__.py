"""The backbone in other hands: other libraries, formats and hubs."""
