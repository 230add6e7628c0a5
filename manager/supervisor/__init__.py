"""A small program of its own that is the parent of ``ollama serve``, and the link to it.

One supervisor process per server address owns the server and its state; managers hold leases on
it over a private local socket. Standard library only, so that it starts in tens of milliseconds.

    states, restarts, leases, causes   pure: what is, what comes next, and why
    booting, deaths                    pure: what is heard before the first answer; who comes back
    machine                            the life of one server: events in, effects out
    program, serving                   the process: one thread, one loop
    server_process, processes          what only an operating system can do
    inherited                          what the starter has set for itself, undone
    listeners                          whose server answers at the port
    logfile, serverlog, diskspace      the log: where it is, how it stays small, room for it
    protocol, probe                    the wire, and "is that Ollama?"
    link, session, attach, client      the managers' side
    heartbeat                          does the supervisor answer who waits
    spawn, interpreter, frozen         starting a supervisor: which Python, or a frozen program
    reporting                          starting a program that says whether it came up
    stragglers                         what outlives a killed supervisor

Importing this package imports nothing.
"""
