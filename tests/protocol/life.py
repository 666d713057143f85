"""A whole life of Termi as a plain msgpack library sees it. Prints what it saw as one line of JSON."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.environ["LIBRARY"]))
import msgpack  # noqa: E402

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
host = subprocess.Popen([os.environ["TERMI"], "host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
unpacker = msgpack.Unpacker()
screen, events, answers = [], [], {}


def send(*message):
    host.stdin.write(msgpack.packb(message))
    host.stdin.flush()


def receive():
    while True:
        for message in unpacker:
            return take(message)
        data = os.read(host.stdout.fileno(), 65536)
        if not data:
            sys.exit("the host has ended")
        unpacker.feed(data)


def take(message):
    if message[0] == RESPONSE:
        answers[message[1]] = (message[2], message[3])
    elif message[0] == REQUEST:
        _, number, method, (params,) = message
        if method == "event":
            events.append(params)
        elif method == "frame":
            show(params)
        send(RESPONSE, number, None, True)


def show(frame):
    if frame.get("reset"):
        screen.clear()
    del screen[: len(frame.get("scrolled", []))]
    for number, line in enumerate(frame.get("lines", [])):
        row = line.get("row", number)
        screen.extend([""] * (row + 1 - len(screen)))
        screen[row] = line["text"]


def call(method, **params):
    call.number += 1
    send(REQUEST, call.number, method, [params])
    while call.number not in answers:
        receive()
    return answers.pop(call.number)


call.number = 0


def ask(method, **params):
    error, result = call(method, **params)
    assert error is None, error
    return result


def until(find):
    while not (found := find()):
        receive()
    return found


def row(start):
    return next((text for text in screen if text.startswith(start)), None)


saw = {"protocol": ask("initialize", protocol=1, client={"name": "msgpack"})["protocol"]}
run = ask("run", cmd='while read line; do echo "got $line"; echo "size $(stty size)"; done')
ask("attach", run_id=run["run_id"], format="spans")
send(NOTIFICATION, "resize", [{"run_id": run["run_id"], "rows": 30, "cols": 90}])
send(NOTIFICATION, "input", [{"run_id": run["run_id"], "data": b"hello\r"}])
saw["screen"] = until(lambda: row("got"))
saw["size"] = until(lambda: row("size 30"))
saw["waited"] = ask("wait", target=run["session_id"], until={"pattern": "got hello"})["reason"]
saw["refusal"] = call("kill", target="nobody")[0]["code"]
saw["killed"] = ask("kill", target=run["session_id"])["killed"]
saw["exited"] = until(lambda: next((e["status"] for e in events if e["type"] == "run_exited"), None))
ask("shutdown")
saw["host"] = host.wait()
print(json.dumps(saw))
