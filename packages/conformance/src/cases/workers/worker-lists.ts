import { holds, same } from '../../peers/check.js';
import { roundTrip, within } from '../../peers/peer-socket.js';
import type { Frame, PeerWorker } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';
import { OVERSIZED } from '../streams/stream-joins.js';

const needs = ['worker'] as const;
const MIB = 1_048_576;

/** The announcement of a client of the old generation, without its name. */
const OLD = { runtime: 'node', version: '0.11.6', os: 'linux', pid: 4_321, isolation: null };

async function rows(worker: PeerWorker, id: string, key: string): Promise<Frame[]> {
  return ((await worker.result(id, {})) as Readonly<Record<string, Frame[]>>)[key] ?? [];
}

/** Returns the values of the row under the keys of `wanted`. */
const part = (row: Frame | undefined, wanted: Frame) => Object.fromEntries(Object.keys(wanted).map((key) => [key, row?.[key]]));

export const listCases: readonly Case[] = [
  {
    rules: ['WP-17'],
    title: 'rows of functions and workers serve old and new clients; internal functions are there when asked for',
    needs,
    async run(context) {
      const [worker, old] = [await context.worker(), await context.worker()];
      const [f, hidden, name] = [context.name('f'), context.name('hidden'), context.name('old')];
      await old.result('engine::workers::register', { ...OLD, name });
      await old.serve(f, () => [], { description: 'lists', metadata: { a: 1 } });
      await old.serve(hidden, () => [], { metadata: { internal: true } });
      const functions = await rows(worker, 'engine::functions::list', 'functions');
      const ids = functions.map(({ function_id }) => String(function_id));
      const expected = { function_id: f, worker_name: name, description: 'lists', metadata: { a: 1 } };
      same(part(functions[ids.indexOf(f)], expected), expected, 'the row of a function');
      holds(!ids.includes(hidden) && !ids.some((id) => id.startsWith('engine::')), 'internal functions are left out', ids.slice(0, 20));
      const all = (await worker.result('engine::functions::list', { include_internal: true })) as { functions: Frame[] };
      const isThere = all.functions.some(({ function_id }) => function_id === hidden);
      holds(isThere, 'internal functions are there with include_internal', all.functions.length);
      const workers = await rows(worker, 'engine::workers::list', 'workers');
      const about = { ...OLD, name, id: await old.workerId(), status: 'connected', internal: false };
      const shown = { ...about, function_count: 2, functions: [f, hidden] };
      const row = workers.find((each) => each.name === name);
      same(part(row, shown), shown, 'the row of a worker');
    },
  },
  {
    rules: ['WP-17'],
    title: 'the list of triggers has bindings for an old client and types for a new one; each has a list of its own',
    needs,
    async run(context) {
      const [worker, old] = [await context.worker(), await context.worker()];
      await old.result('engine::workers::register', { ...OLD, name: context.name('old') });
      await worker.result('engine::workers::register', { ...OLD, version: '0.22.1', name: context.name('new'), pid: 4_322 });
      const config = { stream_name: context.name('s') };
      const id = await old.bind('stream', context.name('f'), config);
      const binding = { id, trigger_type: 'stream', function_id: context.name('f'), config };
      for (const [client, list, key] of [
        [old, 'engine::triggers::list', 'triggers'],
        [worker, 'engine::registered-triggers::list', 'registered_triggers'],
      ] as const) {
        const row = (await rows(client, list, key)).find((each) => each.id === id);
        same(part(row, binding), binding, `the row of a binding in ${list}`);
      }
      for (const [list, key] of [
        ['engine::triggers::list', 'triggers'],
        ['engine::trigger-types::list', 'trigger_types'],
      ] as const) {
        const ids = (await rows(worker, list, key)).map((row) => row.id);
        holds(ids.includes('stream') && !ids.includes(id), `${list} has types for a new client`, ids.slice(0, 20));
      }
    },
  },
  {
    rules: ['WP-21'],
    title: 'sockets that only send telemetry are in no list of workers',
    needs,
    async run(context) {
      const worker = await context.worker();
      await worker.result('engine::workers::register', { runtime: 'node', version: '0.22.1', name: context.name('w'), pid: 1 });
      const before = (await rows(worker, 'engine::workers::list', 'workers')).map(({ id }) => id);
      holds(before.includes(await worker.workerId()), 'a worker that announced itself is in the list', before);
      const exporters = [await context.worker(), await context.worker({ path: '/otel' })];
      for (const { socket } of exporters) {
        socket.send(Buffer.from('OTLP{"resourceSpans":[]}'));
        await roundTrip(socket, context.patienceMs);
      }
      const listed = await rows(worker, 'engine::workers::list', 'workers');
      const told = exporters.flatMap(({ inbox }) => inbox.all.map(({ worker_id }) => worker_id));
      same(
        listed.filter(({ id }) => told.includes(id)),
        [],
        'telemetry sockets in the list',
      );
    },
  },
  {
    rules: ['WP-25'],
    title: 'a message beyond the limit closes its own socket, and no other',
    needs,
    async run(context) {
      const [offender, other] = [await context.worker(), await context.worker()];
      offender.socket.send(Buffer.alloc(OVERSIZED, 'x').toString());
      await within(offender.closed, context.patienceMs, 'the end of the socket that sent too much');
      await other.settled();
    },
  },
  {
    rules: ['WP-25'],
    title: 'a Python worker, which takes no frame over 1 MiB, gets an error in place of a larger one, and stays',
    needs: ['worker', 'stream'],
    async run(context) {
      const [node, python] = [await context.worker(), await context.worker({ maxPayload: MIB })];
      await python.result('engine::workers::register', { runtime: 'python', version: '0.11.0', name: context.name('py'), pid: 1 });
      const group = { stream_name: context.name('s'), group_id: 'g' };
      const ids = ['a', 'b'];
      context.atEnd(() => Promise.all(ids.map((item_id) => node.result('stream::delete', { ...group, item_id }))));
      for (const item_id of ids) await node.result('stream::set', { ...group, item_id, data: 'x'.repeat(700_000) });
      same((await python.errorOf('stream::list', group)).code, 'RESULT_TOO_LARGE', 'the code of a result of 1.4 MB');
      const f = context.name('f');
      await python.serve(f, () => 'ran');
      await node.errorOf(f, { text: 'x'.repeat(1_400_000) });
      same(await node.result(f, {}), 'ran', 'a call that it can take, on the same connection');
    },
  },
];
