"""A small program of its own that is the parent of ``ollama serve``, and the link to it.

One supervisor process per server address owns the server and its state; managers hold leases on
it over a private local socket. Standard library only, so that it starts in tens of milliseconds.

    states, restarts, leases, causes   pure: what is, what comes next, and why
    machine                            the life of one server: events in, effects out
    program, serving                   the process: one thread, one loop
    server_process, processes, logfile what only an operating system can do
    protocol, probe                    the wire, and "is that Ollama?"
    link, session, attach, client      the managers' side

Importing this package imports nothing.
"""
