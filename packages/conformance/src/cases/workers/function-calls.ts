import { randomUUID } from 'node:crypto';
import { holds, same } from '../../peers/check.js';
import { roundTrip } from '../../peers/peer-socket.js';
import { Failure, type Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const needs = ['worker'] as const;

export const callCases: readonly Case[] = [
  {
    rules: ['WP-1'],
    title: 'the first frame is workerregistered with a UUID and a token',
    needs,
    async run(context) {
      const worker = await context.worker();
      await worker.take('workerregistered');
      const [first] = worker.inbox.all;
      same(first?.type, 'workerregistered', 'type of the first frame');
      holds(UUID.test(String(first?.worker_id)), 'worker_id is a UUID', first);
      holds(typeof first?.reattach_token === 'string' && first.reattach_token !== '', 'reattach_token is a text', first);
    },
  },
  {
    rules: ['WP-2'],
    title: 'unknown types, no JSON, empty texts and binary frames leave the connection open',
    needs,
    async run(context) {
      const worker = await context.worker();
      for (const junk of ['', '   ', '{', '[]', '"x"', '{"type":"nobody-knows-this"}', '{}']) worker.socket.send(junk);
      worker.socket.send(Buffer.from([0, 255, 1, 254]));
      await worker.settled();
    },
  },
  {
    rules: ['WP-3'],
    title: 'a call without data is null to its handler and is answered',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.serve(id, (data) => ({ wasNothing: data === null || data === undefined }));
      same(await caller.result(id, undefined), { wasNothing: true }, 'what the handler got');
    },
  },
  {
    rules: ['WP-4'],
    title: 'results and errors go through; a result that is missing or null is no key',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      const body = { code: 'mine', message: 'boom', stacktrace: 'at once' };
      const outcomes: Record<string, () => unknown> = {
        value: () => ({ a: [1, 'ü', null] }),
        null: () => null,
        missing: () => undefined,
        error: () => {
          throw new Failure(body);
        },
      };
      await executor.serve(id, (data) => outcomes[String((data as Frame).want)]?.());
      same(await caller.result(id, { want: 'value' }), { a: [1, 'ü', null] }, 'the result');
      for (const want of ['null', 'missing']) {
        const answer = await caller.call(id, { want });
        holds(!('result' in answer) && !('error' in answer), `no key "result" after a result that is ${want}`, answer);
      }
      same(await caller.errorOf(id, { want: 'error' }), body, 'the error');
    },
  },
  {
    rules: ['WP-5', 'WP-6'],
    title: 'void calls run and are never answered, with an id, without one, and of nothing',
    needs,
    async run(context) {
      const worker = await context.worker();
      const id = context.name('f');
      await worker.serve(id, () => 'an answer');
      const unanswered: string[] = [randomUUID(), randomUUID()];
      worker.send({ type: 'invokefunction', invocation_id: unanswered[0], function_id: id, data: {}, action: { type: 'void' } });
      worker.send({
        type: 'invokefunction',
        invocation_id: unanswered[1],
        function_id: context.name('none'),
        data: {},
        action: { type: 'void' },
      });
      worker.send({ type: 'invokefunction', function_id: id, data: {} });
      await worker.takeCall(id);
      await worker.takeCall(id);
      // Results come in the order of the calls: a result of the void call would come before this one.
      same(await worker.result(id, {}), 'an answer', 'an ordinary call');
      await worker.settled();
      const answers = worker.inbox.all.filter(
        (frame) =>
          frame.type === 'invocationresult' && (unanswered.includes(String(frame.invocation_id)) || frame.invocation_id === undefined),
      );
      same(answers, [], 'answers to void calls');
    },
  },
  {
    rules: ['WP-8'],
    title: 'a missing function is function_not_found, and the message has its id',
    needs,
    async run(context) {
      const worker = await context.worker();
      const id = context.name('nobody');
      const error = await worker.errorOf(id, {});
      same(error.code, 'function_not_found', 'the code');
      holds(String(error.message).includes(id), `the message contains ${id}`, error);
    },
  },
  {
    rules: ['WP-9'],
    title: 'the caller hears invocation_stopped when the executor drops',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.register(id);
      const answer = caller.errorOf(id, {});
      answer.catch(() => {});
      await executor.takeCall(id);
      executor.socket.terminate();
      same((await answer).code, 'invocation_stopped', 'the code');
    },
  },
  {
    rules: ['WP-10'],
    title: 'a result that comes after its caller has gone is ignored',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.register(id);
      caller.send({ type: 'invokefunction', invocation_id: randomUUID(), function_id: id, data: {} });
      const { invocation_id } = await executor.takeCall(id);
      await caller.drop();
      executor.send({ type: 'invocationresult', invocation_id, function_id: id, result: 1 });
      executor.send({ type: 'invocationresult', invocation_id, function_id: id, result: 2 });
      await executor.settled();
    },
  },
  {
    rules: ['WP-11', 'WP-12'],
    title: 'the last registrant serves; when it drops the survivor serves again',
    needs,
    async run(context) {
      const [caller, first, second] = [await context.worker(), await context.worker(), await context.worker()];
      const id = context.name('f');
      await first.serve(id, () => 'first');
      await second.serve(id, () => 'second');
      same(await caller.result(id, {}), 'second', 'who serves while both are there');
      await first.drop();
      await caller.settled();
      same(await caller.result(id, {}), 'second', 'who serves when the older one has gone');
      const third = await context.worker();
      await third.serve(id, () => 'third');
      same(await caller.result(id, {}), 'third', 'who serves after a third registration');
      await third.drop();
      const until = performance.now() + context.patienceMs;
      let answer = await caller.call(id, {});
      while (answer.error !== undefined && performance.now() < until) answer = await caller.call(id, {});
      same(answer.result, 'second', 'who serves when the newest one has gone');
    },
  },
  {
    rules: ['WP-13'],
    title: 'reattach with the right token retires the old socket, with a wrong one not',
    needs,
    async run(context) {
      const [caller, old] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await old.serve(id, () => 'old');
      const { worker_id, reattach_token } = await old.registration();
      const stranger = await context.worker();
      stranger.send({ type: 'reattach', previous_worker_id: worker_id, reattach_token: randomUUID() });
      await stranger.settled();
      same(await caller.result(id, {}), 'old', 'who serves after a reattach with a wrong token');
      const successor = await context.worker();
      successor.send({ type: 'reattach', previous_worker_id: worker_id, reattach_token });
      await successor.settled();
      same((await caller.errorOf(id, {})).code, 'function_not_found', 'a call of what the old socket served');
    },
  },
  {
    rules: ['WP-7'],
    title: 'an enqueue is answered enqueue_error within a second',
    needs,
    async run(context) {
      const worker = await context.worker();
      const id = context.name('f');
      await worker.register(id);
      const start = performance.now();
      const error = await worker.errorOf(id, {}, { action: { type: 'enqueue', queue: context.name('q') } });
      same(error.code, 'enqueue_error', 'the code');
      holds(performance.now() - start < 1_000, 'the answer comes within 1 s', performance.now() - start);
    },
  },
  {
    rules: ['WP-18'],
    title: 'an object carries its true caller, whatever the caller says; other data does not',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.serve(id, (data) => ({ got: data }));
      const worker = await caller.workerId();
      const expected = { got: { a: 1, _caller_worker_id: worker } };
      same(await caller.result(id, { a: 1 }), expected, 'an object');
      same(await caller.result(id, { _caller_worker_id: 'somebody', a: 1 }), expected, 'an object that claims another caller');
      same(await caller.result(id, [1]), { got: [1] }, 'an array');
    },
  },
  {
    rules: ['WP-19'],
    title: 'a ping is answered within a second while a handler is busy',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.register(id);
      for (let call = 0; call < 100; call++)
        caller.send({ type: 'invokefunction', invocation_id: randomUUID(), function_id: id, data: {} });
      const took = await roundTrip(caller.socket, context.patienceMs);
      holds(took < 1_000, 'the pong comes within 1 s', took);
      caller.send({ type: 'ping' });
      await caller.take('pong');
    },
  },
  {
    rules: ['WP-23'],
    title: 'metadata of a call is a field of its own',
    needs,
    async run(context) {
      const [caller, executor] = [await context.worker(), await context.worker()];
      const id = context.name('f');
      await executor.serve(id, (_data, { metadata }) => ({ metadata }));
      const answer = await caller.call(id, {}, { metadata: { tenant: 'acme' } });
      same(answer.result, { metadata: { tenant: 'acme' } }, 'what the handler got');
    },
  },
  {
    rules: ['WP-21'],
    title: 'a socket of /otel and one that only sends telemetry stay open',
    needs,
    async run(context) {
      for (const path of ['/otel', '/']) {
        const { socket } = await context.worker({ path });
        socket.send(Buffer.from('OTLP{"resourceSpans":[]}'));
        socket.send(Buffer.from('MTRC not even JSON'));
        await roundTrip(socket, context.patienceMs);
      }
    },
  },
];
