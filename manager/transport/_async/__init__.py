"""The async side: connections written by hand, the source of the sync pool and exchange."""
