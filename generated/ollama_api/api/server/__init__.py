"""Request builders of the tag `server`."""
