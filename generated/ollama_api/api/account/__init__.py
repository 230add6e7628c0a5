"""Request builders of the tag `account`."""
