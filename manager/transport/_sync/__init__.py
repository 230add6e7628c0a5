"""The sync side: connections written by hand, pool and exchange generated."""
