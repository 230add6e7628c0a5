"""Request builders of the tag `inference`."""
