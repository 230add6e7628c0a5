"""HTTP/1.1 for one server: connections, requests and answers, and what happens to one call."""
