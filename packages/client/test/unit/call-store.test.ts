import { expect, it } from 'vitest';
import { type CallDefaults, callStore } from '../../src/bindings/call-store.js';
import type { CallOptions, Draft, StreamClient } from '../../src/index.js';

/** Returns a client that keeps its calls. */
function recordingClient() {
  const made: { name: string; payload: unknown; options: CallOptions }[] = [];
  const call = (name: string, payload: unknown, options: CallOptions) => {
    made.push({ name, payload, options });
    return Promise.resolve('done');
  };
  return { client: { call } as unknown as StreamClient, made };
}

it('a call has the newest common options, its own ones over them, and a draft function that knows the payload', async () => {
  const { client, made } = recordingClient();
  const drawn: unknown[] = [];
  let defaults: CallDefaults<string> = { timeoutMs: 1_000, confirm: [{ stream: 's', group: 'g' }] };
  const { call } = callStore<string, string>(client, 'app::f', () => defaults).actions;
  await call('first');
  defaults = { timeoutMs: 2_000, optimistic: (draft, payload) => drawn.push([draft, payload]) };
  await call('second', { timeoutMs: 3_000 });
  expect(made).toEqual([
    { name: 'app::f', payload: 'first', options: { timeoutMs: 1_000, confirm: [{ stream: 's', group: 'g' }] } },
    { name: 'app::f', payload: 'second', options: { timeoutMs: 3_000, optimistic: expect.any(Function) } },
  ]);
  const draft = {} as Draft;
  // The client runs the function again after the options have changed.
  defaults = {};
  made[1]?.options.optimistic?.(draft);
  expect(drawn).toEqual([[draft, 'second']]);
});
