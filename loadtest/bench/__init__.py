"""`make bench`: what serving costs on this machine, and whether it meets its targets.

One run measures the service through its gateway, the same work in one process without a server, and
a plain FastAPI service that does it too, in turns, so that a slow spell of the machine meets all of
them alike.

    corpus       photos and sentences, made into prebuilt requests
    variant      what the model repository says of the graphs that are served
    inference    the work itself: decode, tokenise, encode, fuse with onnxruntime
    stack        the service as users run it; `baseline` and `baseline_server` are its peer
    load_client  closed-loop clients, nearly free; `roofline` does the work without a server
    window       one stretch of measuring, with the CPU that each process used; `rounds` takes turns
    arena        service and peers running side by side, proven to give the same answers
    run          the order of all this; `figures` condenses it, `targets` judges, `report` shows

It imports `gateway.contract`, `exporters.preprocessing` (what a request costs must be the very code
that serves) and `deploy.local` (what is measured must be what users start), and nothing else of
these packages.
"""
