"""The engine: connections are written by hand for both shells, the rest for one of them."""
