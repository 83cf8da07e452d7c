import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { CutLink } from '@rivulet/testkit/links/cut-link';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const problem = CutLink.problem();

/** Reads an event stream on the machine of the client, and prints what comes. */
const READER = `const [, host, port] = process.argv;
const socket = require('node:net').connect(port, host);
socket.write('GET /stream/chat/room-1 HTTP/1.1\\r\\nhost: localhost\\r\\naccept: text/event-stream\\r\\n\\r\\n');
socket.pipe(process.stdout);`;

test.skipIf(problem !== undefined)(
  `RV-53 a client whose network is cut with bytes on their way is dropped, and others stay${problem === undefined ? '' : ` (skipped: ${problem})`}`,
  async () => {
    const link = await CutLink.make();
    const intervals = { pingIntervalMs: 100, pongTimeoutMs: 100, eventStallTimeoutMs: 500 };
    const { streamUrl, workerUrl, log } = await startTestEngine({ stream: { host: '0.0.0.0', ...intervals } });
    const worker = await RawWorker.connect(workerUrl);
    const left = new Inbox<unknown>();
    await worker.serve('app::leave', (data) => left.push(data));
    await worker.bind('stream:leave', 'app::leave', {});
    const { port } = new URL(streamUrl);
    const reader = link.node(READER, link.host, port);
    const seen = new Inbox<string>();
    reader.stdout?.setEncoding('utf8').on('data', (text: string) => seen.push(text));
    await seen.take((text) => text.includes('"sync"'), 'the state');
    const near = EventStream.open(`http://127.0.0.1:${port}/stream/chat/room-1`);
    await near.events.take(({ data }) => data.includes('"sync"'), 'the state');
    const set = (item_id: string) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data: 1 });
    link.cut();
    await set('after');
    expect(await left.take(() => true, 'a leave')).toMatchObject({ stream_name: 'chat', group_id: 'room-1' });
    expect(log.filter(({ event }) => event === 'event_stream_stalled').map(({ fields }) => fields.address)).not.toContain('127.0.0.1');
    await set('last');
    await near.events.take(({ data }) => data.includes('"last"'), 'the last item');
    expect(seen.all.join('')).not.toContain('"after"');
    expect([near.socket.destroyed, left.all.length]).toEqual([false, 1]);
  },
);
