#!/usr/bin/env python3
"""Plays the recording of a coding agent: what comes before BEGIN at once, then in time until END; then it waits.

agent_player.py RECORDING BEGIN END [LOG [WITHOUT]]: each entry that is no output is written to LOG as it is passed, with
the time; WITHOUT is `titles`, `reports` or neither, of what is not printed."""
import json, os, re, sys, time, tty

tty.setraw(0)
path, begin, end = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
log = open(sys.argv[4], "w", buffering=1) if len(sys.argv) > 4 else None
left_out = {"titles": "[02]", "reports": "7501"}.get(sys.argv[5] if len(sys.argv) > 5 else "")
pattern = left_out and re.compile("\x1b\\]%s;[^\x07\x1b]*(\x07|\x1b\\\\)" % left_out)
start = time.monotonic() - begin
for line in open(path):
    at, kind, text = json.loads(line)
    if at > end:
        break
    if at > begin:
        time.sleep(max(0, at - (time.monotonic() - start)))
    if kind == "o":
        text = pattern.sub("", text) if pattern else text
        os.write(1, text.encode("utf-8", "surrogateescape"))
    elif log:
        log.write(json.dumps([time.time(), kind, text]) + "\n")
if log:
    log.write(json.dumps([time.time(), "end", ""]) + "\n")
os.read(0, 1)
while True:
    time.sleep(1000)
