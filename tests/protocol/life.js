// A whole life of Termi as vscode-jsonrpc sees it. Prints what it saw as one line of JSON.
'use strict';
const { spawn } = require('node:child_process');
const rpc = require(`${process.env.LIBRARY}/node.js`);

async function main() {
  const host = spawn(process.env.TERMI, ['host', '--rpc', 'json'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => host.on('exit', resolve));
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(host.stdout),
    new rpc.StreamMessageWriter(host.stdin),
  );
  let [screen, events, look] = [[], [], () => {}];
  connection.onRequest('frame', (frame) => {
    if (frame.reset) screen = [];
    screen = screen.slice((frame.scrolled ?? []).length);
    (frame.lines ?? []).forEach((line, number) => (screen[line.row ?? number] = line.text));
    look();
    return true;
  });
  connection.onNotification('event', (event) => {
    events.push(event);
    look();
  });
  const until = (holds) =>
    new Promise((resolve) => {
      look = () => holds() && resolve();
      look();
    });
  connection.listen();

  const saw = {};
  const { protocol } = await connection.sendRequest('initialize', { protocol: 1, client: { name: 'vscode-jsonrpc' } });
  saw.protocol = protocol;
  const run = await connection.sendRequest('run', { cmd: 'while read line; do echo "got $line"; echo "size $(stty size)"; done' });
  await connection.sendRequest('attach', { run_id: run.run_id, format: 'spans' });
  await connection.sendNotification('resize', { run_id: run.run_id, rows: 30, cols: 90 });
  await connection.sendNotification('input', { run_id: run.run_id, data: 'hello\r' });
  const find = (start) => screen.find((text) => text?.startsWith(start));
  await until(() => find('got') && find('size 30'));
  [saw.screen, saw.size] = [find('got'), find('size')];
  const wait = { target: run.session_id, until: { pattern: 'got hello' } };
  saw.waited = (await connection.sendRequest('wait', wait)).reason;
  saw.refusal = await connection.sendRequest('kill', { target: 'nobody' }).catch((error) => error.data.code);
  saw.killed = (await connection.sendRequest('kill', { target: run.session_id })).killed;
  const exit = () => events.find((event) => event.type === 'run_exited' && event.run_id === run.run_id);
  await until(exit);
  saw.exited = exit().status;
  await connection.sendRequest('shutdown');
  saw.host = await ended;
  console.log(JSON.stringify(saw));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
