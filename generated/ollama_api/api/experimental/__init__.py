"""Request builders of the tag `experimental`."""
