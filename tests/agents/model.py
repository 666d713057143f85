#!/usr/bin/env python3
"""A model server on loopback, for agents that are tested without a model: it speaks OpenAI's Responses API and Gemini's.

To a prompt it answers with a command to run (`touch made`), to what the command printed with a last text. The first
line of its standard output is its port; then comes one line a request, `prompt` or `output`, and the request is
answered once a line is read from standard input. It ends when that is closed.

By hand: model.py SECONDS answers after that many seconds.
"""

import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMAND = 'touch made'
REASON = 'May I make the file?'
LAST = 'The file is made.'

after = float(sys.argv[1]) if len(sys.argv) > 1 else None
gate = queue.Queue()
told = threading.Lock()


def tell(text):
    with told:
        print(text, flush=True)


def wait_for_go(what):
    tell(what)
    if after is None:
        gate.get()
    else:
        time.sleep(after)


def responses(request):
    """Events of OpenAI's Responses API: a call of whichever tool runs commands here, or the last text."""
    items = request.get('input', [])
    tools = {tool.get('name') for tool in request.get('tools', [])}
    # It asks for a title of the conversation as well.
    what = None
    title = {'type': 'output_text', 'text': 'Make a file', 'annotations': []}
    item = {'type': 'message', 'role': 'assistant', 'id': 'msg_1', 'status': 'completed', 'content': [title]}
    if tools and items and items[-1].get('type') == 'function_call_output':
        what = 'output'
        text = {'type': 'output_text', 'text': LAST, 'annotations': []}
        item = {'type': 'message', 'role': 'assistant', 'id': 'msg_1', 'status': 'completed', 'content': [text]}
    elif tools:
        what = 'prompt'
        # Its name and its argument have changed between versions.
        name, key = ('exec_command', 'cmd') if 'exec_command' in tools else ('shell_command', 'command')
        arguments = {key: COMMAND, 'sandbox_permissions': 'require_escalated', 'justification': REASON}
        item = {
            'type': 'function_call',
            'id': 'fc_1',
            'call_id': f'call_{len(items)}',
            'name': name,
            'arguments': json.dumps(arguments),
            'status': 'completed',
        }
    usage = {
        'input_tokens': 10,
        'input_tokens_details': {'cached_tokens': 0},
        'output_tokens': 5,
        'output_tokens_details': {'reasoning_tokens': 0},
        'total_tokens': 15,
    }
    response = {'id': 'resp_1', 'object': 'response', 'model': request.get('model'), 'output': []}
    return what, [
        {'type': 'response.created', 'response': {**response, 'status': 'in_progress'}},
        {'type': 'response.output_item.added', 'output_index': 0, 'item': item},
        {'type': 'response.output_item.done', 'output_index': 0, 'item': item},
        {'type': 'response.completed', 'response': {**response, 'status': 'completed', 'output': [item], 'usage': usage}},
    ]


def gemini(request):
    """What Gemini's API streams: the same conversation."""
    contents = request.get('contents', [])
    parts = contents[-1].get('parts', []) if contents else []
    if not request.get('tools'):
        return None, [answer_of([{'text': '{}'}])]
    if any('functionResponse' in part for part in parts):
        return 'output', [answer_of([{'text': LAST}])]
    call = {'name': 'run_shell_command', 'args': {'command': COMMAND, 'description': REASON}}
    return 'prompt', [answer_of([{'functionCall': call}])]


def answer_of(parts):
    usage = {'promptTokenCount': 10, 'candidatesTokenCount': 5, 'totalTokenCount': 15}
    candidate = {'index': 0, 'finishReason': 'STOP', 'content': {'role': 'model', 'parts': parts}}
    return {'candidates': [candidate], 'usageMetadata': usage}


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def body(self):
        if 'chunked' not in self.headers.get('Transfer-Encoding', ''):
            return self.rfile.read(int(self.headers.get('Content-Length', 0)))
        whole = b''
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def send(self, status, kind, body):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send(404, 'application/json', b'{}')

    def do_POST(self):
        request = json.loads(self.body() or b'{}')
        path = self.path.split('?')[0]
        if path.endswith('/responses'):
            what, events = responses(request)
        elif 'enerateContent' in path:
            what, events = gemini(request)
        else:
            return self.send(404, 'application/json', b'{}')
        if what:
            wait_for_go(what)
        if path.endswith(':generateContent'):
            return self.send(200, 'application/json', json.dumps(events[0]).encode())
        lines = ''
        for event in events:
            if 'type' in event:
                lines += f'event: {event["type"]}\n'
            lines += f'data: {json.dumps(event)}\n\n'
        self.send(200, 'text/event-stream', lines.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(server.server_port)
for _ in sys.stdin:
    gate.put(None)
