import { randomUUID } from 'node:crypto';
import { holds, Mismatch, same } from '../../peers/check.js';
import { STREAM_AUTH } from '../../peers/gate.js';
import { UpgradeRefused, within } from '../../peers/peer-socket.js';
import { Failure, type Frame, type Handler } from '../../peers/peer-worker.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker', 'stream-auth'] as const;

export const streamAuthCases: readonly Case[] = [
  {
    rules: ['ST-9', 'ST-10'],
    title: 'the auth function gets exactly headers, path, query_params and addr, with the offered token, which is not echoed',
    needs,
    async run(context) {
      const inputs: Frame[] = [];
      await context.streamAuth((data) => {
        inputs.push(data as Frame);
        return { context: null };
      });
      const path = `/stream/${context.name('s')}/g`;
      const stream = await context.authorised(`${path}?tag=a&tag=b%20c&flag&=x`, {
        protocols: ['Authorization', 'a-token'],
        headers: { 'X-One': '1' },
      });
      same(stream.socket.protocol, 'Authorization', 'the selected sub-protocol');
      await stream.take('sync');
      same(inputs.length, 1, 'how often auth was called');
      const { headers, path: seen, query_params, addr, ...more } = inputs[0] as Frame;
      same([seen, query_params, more], [path, { tag: ['a', 'b c'], flag: [''] }, {}], 'path, query, and what else there is');
      holds(/^.+:\d+$/.test(String(addr)), 'addr has a port', addr);
      const { 'x-one': one, 'sec-websocket-protocol': offered } = headers as Frame;
      same([one, String(offered).replaceAll(' ', '')], ['1', 'Authorization,a-token'], 'the headers');
    },
  },
  {
    rules: ['ST-10'],
    title: 'the context of the auth function reaches join and leave handlers',
    needs,
    async run(context) {
      const worker = await context.streamAuth(() => ({ context: { user: 'u1' } }));
      const [join, leave, stream_name] = [context.name('join'), context.name('leave'), context.name('s')];
      for (const [type, id] of [
        ['stream:join', join],
        ['stream:leave', leave],
      ] as const) {
        await worker.serve(id, () => undefined);
        await worker.bind(type, id, { stream_name });
      }
      const stream = await context.authorised();
      stream.join('one', stream_name, 'g');
      await stream.take('sync');
      stream.socket.close();
      const expected = { subscription_id: 'one', stream_name, group_id: 'g', id: null, context: { user: 'u1' } };
      for (const id of [join, leave]) same((await worker.takeCall(id)).data, expected, `what ${id} got`);
    },
  },
  {
    rules: ['ST-11'],
    title: 'an auth function that fails, hangs, is missing or says no lets nobody in, and no frame out',
    needs,
    async run(context) {
      let handler: Handler = () => undefined;
      const worker = await context.streamAuth((data, frame) => handler(data, frame));
      const failures: readonly (readonly [string, Handler])[] = [
        [
          'throws',
          () => {
            throw new Failure({ code: 'mine', message: 'no' });
          },
        ],
        ['answers nothing', () => undefined],
        ['answers a list', () => [{ context: 1 }]],
        ['says unauthorized', () => ({ unauthorized: true })],
        ['hangs', () => new Promise(() => {})],
      ];
      for (const [what, answer] of failures) {
        handler = answer;
        await refused(context, what);
      }
      worker.send({ type: 'unregisterfunction', id: STREAM_AUTH });
      await worker.settled();
      await refused(context, 'is missing');
      const dying = await context.worker();
      await dying.serve(STREAM_AUTH, () => dying.socket.terminate());
      await refused(context, 'loses its worker');
      for (const allowed of [{ context: null }, {}]) {
        await context.streamAuth(() => allowed);
        await (await context.authorised(`/stream/${context.name('s')}/g`)).take('sync');
      }
    },
  },
];

/**
 * Resolves when the server refuses the upgrade, or closes the socket without a frame. Each attempt has its own credential, because the
 * server delays a credential that it refused lately.
 */
async function refused(context: CaseContext, what: string): Promise<void> {
  const title = `an auth function that ${what} lets nobody in`;
  let stream: Awaited<ReturnType<CaseContext['authorised']>>;
  try {
    stream = await context.authorised(`/stream/${context.name('s')}/g?token=${randomUUID()}`);
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    holds(error.status === 401 || error.status === 503, `${title}: HTTP 401, or 503`, error.status);
    return;
  }
  if (stream.socket.readyState === stream.socket.OPEN) stream.join('one', context.name('s'), 'g');
  const { code } = await within(stream.closed, context.patienceMs, `the end of a connection whose auth function ${what}`);
  holds(code === 1008 || code === 1013, `${title}: close code 1008, or 1013`, code);
  if (stream.inbox.all.length > 0) throw new Mismatch(title, 'no frame', JSON.stringify(stream.kinds()));
}
