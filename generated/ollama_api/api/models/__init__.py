"""Request builders of the tag `models`."""
