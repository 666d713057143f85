#!/usr/bin/env python3
"""Runs a command in Termi and prints what it printed: a whole client, with nothing but Python's own library."""
import json
import os
import subprocess
import sys


class Termi:
    def __init__(self):
        command = [os.environ.get("TERMI", "termi"), "host", "--rpc", "json"]
        try:
            self.host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            sys.exit(f"cannot start {command[0]}: {error.strerror}; set TERMI to the termi binary")
        self.calls, self.screen, self.exit = 0, [], None
        self.row, self.printed = 0, 0  # Rows that have left the screen: in the view, and printed.
        self.call("initialize", protocol=1, client={"name": "client.py"})

    def send(self, **message):
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        try:
            self.host.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
            self.host.stdin.flush()
        except BrokenPipeError:
            sys.exit("the host has ended")

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
        if frame.get("reset"):  # The view starts over: what was printed may come again.
            self.screen, self.row = [], 0
        if frame.get("cleared"):
            self.row = self.printed = 0
        self.row += frame.get("skipped", 0)
        if self.row > self.printed:  # The host was faster than this reads; the method `lines` may have them still.
            print(f"[{self.row - self.printed} lines skipped]", file=sys.stderr)
            self.printed = self.row
        for line in frame.get("scrolled", []):
            if self.row == self.printed:
                print(line["text"])
                self.printed += 1
            self.row += 1
            self.screen = self.screen[1:]
        for line in frame.get("lines", []):
            self.screen += [""] * (line["row"] + 1 - len(self.screen))
            self.screen[line["row"]] = line["text"]


termi = Termi()
try:
    termi.call("run", cmd=sys.argv[1:] or None, attach="spans")
    while termi.exit is None:
        termi.receive()
    print("\n".join(termi.screen).rstrip(), flush=True)
except BrokenPipeError:  # As under `head`: who read the output has gone, and the host ends with this client.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit("nobody reads the output any more")
sys.exit(termi.exit["code"] if termi.exit["code"] is not None else 128 + termi.exit["signal"])
