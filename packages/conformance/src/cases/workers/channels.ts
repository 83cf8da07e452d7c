import { holds, same } from '../../peers/check.js';
import { type ChannelRefs, channelPath } from '../../peers/peer-channel.js';
import { UpgradeRefused, within } from '../../peers/peer-socket.js';
import type { Case } from '../../runner/case.js';

const needs = ['worker'] as const;

export const channelCases: readonly Case[] = [
  {
    rules: ['RB-12'],
    title: 'a channel keeps texts, binary frames and their order, and ends at its reader when its writer does',
    needs,
    async run(context) {
      const worker = await context.worker();
      const { writer, reader } = (await worker.result('engine::channels::create', {})) as ChannelRefs;
      same([writer.direction, reader.direction], ['write', 'read'], 'the directions');
      const [from, to] = [await context.channel(channelPath(writer)), await context.channel(channelPath(reader))];
      for (const message of ['one', Buffer.from([0, 255]), '', Buffer.from('two'), 'ü']) from.socket.send(message);
      await to.inbox.take(({ text }) => text === 'ü', 'the last message');
      same(
        to.inbox.all.map(({ text }) => text),
        ['one', '#00ff', '', '#74776f', 'ü'],
        'the messages',
      );
      from.socket.close(1000, 'stream_complete');
      await within(to.closed, context.patienceMs, 'the end of the reader');
    },
  },
  {
    rules: ['RB-12'],
    title: 'a wrong key is 404, a missing one 400',
    needs,
    async run(context) {
      const worker = await context.worker();
      const { writer } = (await worker.result('engine::channels::create', {})) as ChannelRefs;
      const wrong = channelPath({ ...writer, access_key: writer.channel_id });
      for (const [path, status] of [
        [wrong, 404],
        [`/ws/channels/${writer.channel_id}?dir=write`, 400],
      ] as const) {
        const refused: unknown = await context.channel(path).catch((error: unknown) => error);
        holds(refused instanceof UpgradeRefused && refused.status === status, `HTTP ${status}`, String(refused));
      }
    },
  },
];
