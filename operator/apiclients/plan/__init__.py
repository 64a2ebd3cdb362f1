"""What a change of manifests will do: the operator's own decisions, run in memory on the state before and after.

Pure, but for the clock and the files that ``cli`` passes in. No rule about life cycles stands here: all of them are
called in ``lifecycle``.
"""
