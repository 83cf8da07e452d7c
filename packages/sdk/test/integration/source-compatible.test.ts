import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Inbox } from '@rivulet/testkit/inbox';
import * as official from 'iii-sdk-0.11.6';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import * as ours from '../../src/index.js';
import { type Sdk, startCompatibleWorker } from '../compatible-worker.js';

type Frame = Readonly<Record<string, unknown>>;

/** An engine with fixed answers that keeps every frame. */
async function listen() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const frames = new Inbox<Frame>();
  const channel = new Inbox<{ readonly text: string; readonly close?: string }>();
  const headers: unknown[] = [];
  const sockets: WebSocket[] = [];
  server.on('connection', (socket, request) => {
    if (request.url?.startsWith('/ws/channels/')) {
      socket.on('message', (data, binary) => channel.push({ text: `${binary ? 'bytes' : 'text'} ${(data as Buffer).toString()}` }));
      socket.on('close', (code, reason) => channel.push({ text: 'close', close: `${code} ${reason.toString()}` }));
      return;
    }
    sockets.push(socket);
    headers.push(request.headers['x-worker']);
    socket.send(JSON.stringify({ type: 'workerregistered', worker_id: 'w', reattach_token: 't' }));
    socket.on('message', (data) => {
      const frame = JSON.parse((data as Buffer).toString()) as Frame;
      frames.push(frame);
      const head = { type: 'invocationresult', invocation_id: frame.invocation_id, function_id: frame.function_id };
      if (frame.function_id === 'x::echo') socket.send(JSON.stringify({ ...head, result: frame.data }));
      if (frame.function_id === 'x::fail') socket.send(JSON.stringify({ ...head, error: { code: 'E', message: 'no' } }));
    });
  });
  const send = (frame: Frame) => sockets[0]?.send(JSON.stringify(frame));
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, frames, channel, headers, send };
}

/** Removes generated ids, members that only one SDK has, and the order of keys, which has no meaning. */
function normalised(frame: Frame): Frame {
  const { message_type: _extra, id, invocation_id, error, ...rest } = frame;
  const named = { ...rest, ...(typeof id === 'string' && !/^[0-9a-f-]{36}$/.test(id) ? { id } : {}) };
  const answered =
    typeof invocation_id === 'string' ? { invocation_id: /^[0-9a-f-]{36}$/.test(invocation_id) ? 'a uuid' : invocation_id } : {};
  if (error === undefined) return { ...named, ...answered };
  const { stacktrace, ...body } = error as Frame;
  return { ...named, ...answered, error: { ...body, stack: typeof stacktrace } };
}

const isAnnouncement = ({ function_id }: Frame) => function_id === 'engine::workers::register';
/** Our loggers write to the log of the engine. Without telemetry, those of the official SDK write to the console. */
const isLog = ({ function_id }: Frame) => String(function_id).startsWith('engine::log::');

async function record(sdk: Sdk) {
  const { url, frames, channel, headers, send } = await listen();
  const { iii, exercise } = startCompatibleWorker(sdk, url);
  onTestFinished(() => iii.shutdown());
  await frames.take(isAnnouncement, 'the announcement');
  const returned = await exercise();
  await frames.take(({ function_id }) => function_id === 'x::void', 'the void call');
  const answer = async (function_id: string, data: unknown) => {
    send({ type: 'invokefunction', invocation_id: function_id, function_id, data, traceparent: 'tp', baggage: 'b=1' });
    await frames.take((frame) => frame.type === 'invocationresult' && frame.invocation_id === function_id, `the answer of ${function_id}`);
  };
  await answer('app::echo', { n: 1, _caller_worker_id: 'c' });
  await answer('app::fail', null);
  await answer('app::coded', null);
  await answer('app::missing', null);
  await answer('app::remote', null);
  await answer('stream::set(presence)', { stream_name: 'presence', group_id: 'g', item_id: 'u', data: { user: 'ann' } });
  await answer('stream::get(presence)', { stream_name: 'presence', group_id: 'g', item_id: 'u' });
  send({ type: 'registertrigger', id: 'b1', trigger_type: 'hook', function_id: 'app::echo', config: {} });
  send({ type: 'registertrigger', id: 'b2', trigger_type: 'nothing', function_id: 'app::echo', config: {} });
  for (const id of ['b1', 'b2']) await frames.take((frame) => frame.type === 'triggerregistrationresult' && frame.id === id, id);
  const ref = (direction: string) => ({ channel_id: 'c', access_key: 'k', direction });
  await answer('app::http', {
    method: 'GET',
    path_params: {},
    query_params: {},
    headers: {},
    body: null,
    request_body: ref('read'),
    response: ref('write'),
  });
  await channel.take(({ text }) => text === 'close', 'the end of the response');
  const spoken = frames.all.filter((frame) => !isLog(frame));
  return {
    headers,
    returned,
    spoken: spoken.filter((frame) => !isAnnouncement(frame)).map(normalised),
    announced: spoken.findIndex(isAnnouncement),
    channel: channel.all,
  };
}

/** Removes the code from the answer of the function that chooses one. */
function takeCode({ spoken }: { readonly spoken: readonly Frame[] }): unknown {
  const answer = spoken.find((frame) => frame.type === 'invocationresult' && frame.invocation_id === 'app::coded');
  const error = answer?.error as { code?: unknown };
  const { code } = error;
  delete error.code;
  return code;
}

test('a worker written for iii-sdk 0.11.6 says the same to the engine with our SDK, and gets the same', async () => {
  process.env.OTEL_ENABLED = 'false';
  const theirs = await record(official);
  const mine = await record(ours as unknown as Sdk);
  // This is the only difference. The official SDK drops the code that a handler chose, and the engine can't restore it.
  expect([theirs, mine].map(takeCode)).toEqual(['invocation_failed', 'NOT_OWNER']);
  expect(theirs.spoken.length).toBeGreaterThan(20);
  expect(mine).toEqual(theirs);
});

test('every name that iii-sdk 0.11.6 exports is there, and of the same kind', () => {
  const kinds = (sdk: object) =>
    Object.fromEntries(Object.keys(official).map((name) => [name, typeof (sdk as Record<string, unknown>)[name]]));
  expect(kinds(ours)).toEqual(kinds(official));
  expect(ours.EngineFunctions).toEqual(official.EngineFunctions);
  expect(ours.EngineTriggers).toEqual(official.EngineTriggers);
});
