import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../../../../${name}`, import.meta.url), 'utf8');
const README = read('README.md');
const PAGE = read('docs/http-reading.md');
/** The engine of the documents. */
const DOCUMENTED = 'http://127.0.0.1:3112';

const linesOf = (document: string) =>
  [...document.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) => block.split('\n').filter((line) => line.startsWith('curl ')));
/** The answers that the page shows, in its order. */
const SHOWN = [...PAGE.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']) => block);
const [EVENTS_SHOWN = ''] = [...PAGE.matchAll(/^```\n(data: .*?)^```$/gms)].map(([, block = '']) => block);

/** Starts an engine in which the group of the documents is at offset 7. */
async function start() {
  const { streamUrl, workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const set = (item_id: string, text: string) =>
    worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data: { text } });
  for (let times = 0; times < 6; times++) await set('m1', 'draft');
  await set('m1', 'hi');
  const url = streamUrl.replace('ws:', 'http:');
  const { position } = (await (await fetch(`${url}/stream/chat/room-1`)).json()) as { readonly position: string };
  const [epoch = ''] = position.split(':');
  return { url, epoch, set };
}

/** A command line of the documents that runs in a shell. Its output has the epoch of the documents. */
class Curl {
  readonly lines = new Inbox<string>();
  readonly #command: string;
  readonly #ended: Promise<readonly unknown[]>;
  #text = '';

  constructor(command: string, { url, epoch }: { readonly url: string; readonly epoch: string }) {
    this.#command = command;
    const own = command.replaceAll(DOCUMENTED, url).replaceAll('9f…', epoch);
    const child = spawn('sh', ['-c', `exec ${own}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill());
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      this.#text += more.replaceAll(epoch, '9f…');
      const lines = (rest + more).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(line.replaceAll(epoch, '9f…'));
    });
    this.#ended = once(child, 'close');
  }

  /** Resolves with all output, when the command has succeeded. */
  async output(): Promise<string> {
    const [code] = await this.#ended;
    if (code !== 0) throw new Error(`${this.#command} ended with ${String(code)}`);
    return this.#text;
  }

  line(begin: string): Promise<string> {
    return this.lines.take((line) => line.startsWith(begin), begin);
  }
}

/** Returns the frames and the ids of an event stream, in their order. */
const eventsOf = (text: string): (object | string)[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('data: ') ? (JSON.parse(line.slice(6)) as object) : line));

test('each curl line of docs/http-reading.md does what the page says', async () => {
  const engine = await start();
  const { set } = engine;
  const [snapshot, page, since, wait, events, several, tagged, token, ...others] = linesOf(PAGE);
  expect([token !== undefined, others]).toEqual([true, []]);
  const run = (command = '') => new Curl(command, engine);
  const json = async (command: string | undefined) => JSON.parse(await run(command).output()) as object;
  const [state, changes] = SHOWN.map((block) => JSON.parse(block) as object);
  expect(await json(snapshot)).toEqual(state);
  expect(await json(page)).toEqual({ ...state, items: [] });
  expect(await run(tagged).output()).toMatch(/^HTTP\/1\.1 304 /);
  expect(await json(token)).toEqual(state);
  const stream = run(events);
  const both = run(several);
  await stream.line('id: ');
  const line = (type: string, group: string) =>
    both.lines.take((text) => text.includes(`"groupId":"${group}"`) && text.includes(`"type":"${type}"`));
  for (const group of ['room-1', 'room-2']) await line('sync', group);
  await set('m2', 'ho');
  expect(await json(since)).toMatchObject(changes ?? {});
  await stream.line('id: 9f…:8');
  const got = eventsOf(stream.lines.all.join('\n'));
  const shown = eventsOf(EVENTS_SHOWN);
  expect(got).toHaveLength(shown.length);
  expect(got).toMatchObject(shown);
  await line('create', 'room-1');
  const waiting = run(wait);
  await set('m3', 'later');
  expect(JSON.parse(await waiting.output())).toMatchObject({ position: '9f…:9', changes: [{ id: 'm3' }] });
});

test('each curl line of the README does what its comment says', async () => {
  const engine = await start();
  const [snapshot, since, wait, events, several, ...others] = linesOf(README);
  expect([several !== undefined, others]).toEqual([true, []]);
  const run = (command = '', position = '') => new Curl(command.replace('POSITION', position), engine);
  const { position } = JSON.parse(await run(snapshot).output()) as { readonly position: string };
  expect(position).toBe('9f…:7');
  const streams = [run(events), run(several)];
  for (const stream of streams) await stream.line('id: ');
  await engine.set('m2', 'ho');
  const changed = JSON.parse(await run(since, position).output()) as { readonly position: string };
  expect(changed).toMatchObject({ position: '9f…:8', changes: [{ id: 'm2', event: { type: 'create' } }] });
  for (const stream of streams) await stream.lines.take((line) => line.includes('"id":"m2"'), 'the change');
  const waiting = run(wait, changed.position);
  await engine.set('m3', 'later');
  expect(JSON.parse(await waiting.output())).toMatchObject({ position: '9f…:9', changes: [{ id: 'm3' }] });
});
