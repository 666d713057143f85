#!/usr/bin/env python3
"""Runs a command in Termi and prints what it printed: a whole client, with nothing but Python's own library."""
import json
import os
import subprocess
import sys


class Termi:
    def __init__(self):
        command = [os.environ.get("TERMI", "termi"), "host", "--rpc", "json"]
        self.host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.calls, self.screen, self.exit = 0, [], None
        self.call("initialize", protocol=1, client={"name": "client.py"})

    def send(self, **message):
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.host.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self.host.stdin.flush()

    def receive(self):
        headers = {}
        while line := self.host.stdout.readline().strip():
            name, value = line.split(b":", 1)
            headers[name.lower()] = int(value)
        if not headers:
            sys.exit("the host has ended")
        message = json.loads(self.host.stdout.read(headers[b"content-length"]))
        if message.get("method") == "frame":
            self.show(message["params"])
            self.send(id=message["id"], result=True)  # Without it, no other frame comes.
        elif message.get("method") == "event" and message["params"]["type"] == "run_exited":
            self.exit = message["params"]["exit"]
        return message

    def call(self, method, **params):
        self.calls += 1
        self.send(id=self.calls, method=method, params=params)
        while (message := self.receive()).get("id") != self.calls or "method" in message:
            pass
        return message["result"] if "result" in message else sys.exit(message["error"]["message"])

    def show(self, frame):
        if frame.get("reset"):
            self.screen = []
        for line in frame.get("scrolled", []):
            print(line["text"])
            self.screen = self.screen[1:]
        for line in frame.get("lines", []):
            self.screen += [""] * (line["row"] + 1 - len(self.screen))
            self.screen[line["row"]] = line["text"]


termi = Termi()
termi.call("run", cmd=sys.argv[1:] or None, attach="spans")
while termi.exit is None:
    termi.receive()
print("\n".join(termi.screen).rstrip())
sys.exit(termi.exit["code"] if termi.exit["code"] is not None else 128 + termi.exit["signal"])
