import { randomUUID } from 'node:crypto';
import type { StreamFrame } from '@rivulet/testkit/peers/stream-socket';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { type KillLedger, PAD } from './kill-ledger.js';

const IN_FLIGHT = 16;
const ITEMS = 12;
/** One operation in this number of operations is a delete. */
const DELETES = 7;

/** The place of a writer: groups of a stream, or scopes of state. */
export interface Target {
  readonly kind: 'stream' | 'state';
  readonly groups: readonly string[];
}

/** Writes many numbered values at a time until the connection breaks, and records the sent and the acknowledged ones. */
export async function writeUntilKilled(url: string, writer: number, target: Target, ledger: KillLedger): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  const waiting = new Map<string, { item: string; n: number }>();
  let turn = writer;
  const send = () => {
    turn++;
    const group = target.groups[turn % target.groups.length] as string;
    const name = `w${writer}-i${turn % ITEMS}`;
    const item = `${target.kind}/${group}/${name}`;
    const kind = turn % DELETES === 0 ? 'delete' : 'set';
    const n = ledger.sent(item, kind);
    const id = randomUUID();
    waiting.set(id, { item, n });
    socket.send(
      JSON.stringify({ type: 'invokefunction', invocation_id: id, ...callOf(target.kind, kind, group, name, { item, n, pad: PAD }) }),
    );
  };
  socket.once('open', () => {
    for (let n = 0; n < IN_FLIGHT; n++) send();
  });
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString()) as { type: string; invocation_id?: string; error?: unknown };
    const write = waiting.get(frame.invocation_id ?? '');
    if (frame.type !== 'invocationresult' || write === undefined) return;
    waiting.delete(frame.invocation_id ?? '');
    expect(frame.error).toBeUndefined();
    ledger.acknowledged(write.item, write.n);
    send();
  });
  await closed;
}

function callOf(target: Target['kind'], kind: 'set' | 'delete', group: string, name: string, value: object): object {
  if (target === 'state') return { function_id: `state::${kind}`, data: { scope: group, key: name, ...(kind === 'set' ? { value } : {}) } };
  return {
    function_id: `stream::${kind}`,
    data: { stream_name: 'kill', group_id: group, item_id: name, ...(kind === 'set' ? { data: value } : {}) },
  };
}

/** Records everything that a subscriber of a group gets until the connection breaks. */
export async function watchUntilKilled(url: string, ledger: KillLedger): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const { event } = JSON.parse((data as Buffer).toString()) as StreamFrame;
    if (event.type === 'delete') return;
    const values = (event.type === 'sync' ? event.data : [event.data]) as { item: string; n: number }[];
    for (const { item, n } of values) ledger.seen(item, n);
  });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}
