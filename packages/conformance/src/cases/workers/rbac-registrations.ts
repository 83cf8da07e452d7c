import { same } from '../../peers/check.js';
import { type ChannelRefs, channelPath } from '../../peers/peer-channel.js';
import { within } from '../../peers/peer-socket.js';
import { Failure, type Frame, type PeerWorker } from '../../peers/peer-worker.js';
import { type Case, type CaseContext, eventually } from '../../runner/case.js';

const needs = ['worker', 'rbac'] as const;
const missing = async (worker: PeerWorker, id: string) =>
  same((await worker.errorOf(id, {})).code, 'function_not_found', `a call of ${id}`);

/** Returns the trigger types and bindings of this case, as the trusted listener lists them. */
async function bound(worker: PeerWorker, functionId: string): Promise<unknown[]> {
  const list = (await worker.result('engine::registered-triggers::list', {})) as { registered_triggers: Frame[] };
  return list.registered_triggers.filter(({ function_id }) => function_id === functionId).map(({ trigger_type }) => trigger_type);
}

const publish = (worker: PeerWorker, stream_name: string, n: number) =>
  worker.result('stream::send', { stream_name, group_id: 'g', type: 't', data: { n } });

async function place(context: CaseContext, grant: Frame = {}) {
  const gate = await context.gate();
  gate.grant(grant);
  return { gate, worker: await context.worker() };
}

export const rbacRegistrationCases: readonly Case[] = [
  {
    rules: ['RB-7'],
    title: 'the hook of functions sees each once with its context, renames, and denies by an error or by no object',
    needs,
    async run(context) {
      const { gate, worker } = await place(context, { context: { user: 'u1' } });
      const [throws, list, good, renamed] = ['throws', 'list', 'good', 'renamed'].map((what) => context.name(what)) as [
        string,
        string,
        string,
        string,
      ];
      const seen: unknown[] = [];
      gate.answer('onFunction', (data) => {
        seen.push(data);
        const { function_id } = data as Frame;
        if (function_id === throws) throw new Failure({ code: 'no', message: 'no' });
        return function_id === list ? [] : { function_id: renamed };
      });
      const session = await context.session();
      const more = { description: 'd', metadata: { m: 1 } };
      for (const id of [throws, list, good]) await session.serve(id, () => id, more);
      const expected = [throws, list, good].map((function_id) => ({ function_id, ...more, context: { user: 'u1' } }));
      same(seen, expected, 'what the hook got');
      same(await worker.result(renamed, {}), good, 'a call of the renamed function');
      for (const id of [throws, list]) await missing(worker, id);
      session.send({ type: 'unregisterfunction', id: good });
      await session.settled();
      await missing(worker, renamed);
    },
  },
  {
    rules: ['RB-7', 'RB-14'],
    title: 'the hook of triggers denies and renames; a renamed one ends by its own id, the others with their session',
    needs: ['worker', 'rbac', 'stream'],
    async run(context) {
      const { gate, worker } = await place(context, { context: { user: 'u1' } });
      const [f, stream] = [context.name('on'), context.name('s')];
      const session = await context.session();
      await session.serve(f, () => undefined);
      const seen: Frame[] = [];
      gate.answer('onTrigger', (data) => {
        seen.push(data as Frame);
        return seen.length === 1 ? undefined : { trigger_id: context.name(`renamed-${seen.length}`) };
      });
      const config = { stream_name: stream };
      await session.bind('stream', f, config);
      same(await bound(worker, f), [], 'what is bound after the hook denied');
      const id = await session.bind('stream', f, config);
      const [, { trigger_id, trigger_type, function_id, context: given }] = seen as [Frame, Frame];
      same([trigger_id, trigger_type, function_id, given], [id, 'stream', f, { user: 'u1' }], 'what the hook got');
      await publish(worker, stream, 1);
      await session.takeCall(f);
      session.send({ type: 'unregistertrigger', id });
      await session.settled();
      same(await bound(worker, f), [], 'what is bound after it was unregistered');
      await session.bind('stream', f, config);
      same(await bound(worker, f), ['stream'], 'what is bound before the session ends');
      await session.drop();
      const left = await eventually(context.patienceMs, async () => (await bound(worker, f)).length === 0);
      same(left, true, 'triggers of a session end with it');
    },
  },
  {
    rules: ['RB-7'],
    title: 'the hook of trigger types sees its context, denies and renames',
    needs,
    async run(context) {
      const { gate, worker } = await place(context, { allow_trigger_type_registration: true, context: { user: 'u1' } });
      const [denied, type, renamed] = [context.name('denied'), context.name('type'), context.name('renamed')];
      const seen: unknown[] = [];
      gate.answer('onTriggerType', (data) => {
        seen.push(data);
        return (data as Frame).trigger_type_id === denied ? undefined : { trigger_type_id: renamed };
      });
      const session = await context.session();
      for (const id of [denied, type]) session.send({ type: 'registertriggertype', id, description: 'd' });
      await session.settled();
      const inputs = [denied, type].map((trigger_type_id) => ({ trigger_type_id, description: 'd', context: { user: 'u1' } }));
      same(seen, inputs, 'what the hook got');
      const { triggers } = (await worker.result('engine::triggers::list', {})) as { triggers: Frame[] };
      const there = triggers.map(({ id }) => id).filter((id) => [denied, type, renamed].includes(String(id)));
      same(there, [renamed], 'the types that are there');
    },
  },
  {
    rules: ['RB-8'],
    title: 'a prefix is added for others and never seen by the session',
    needs: ['worker', 'rbac', 'stream'],
    async run(context) {
      const { worker } = await place(context, { function_registration_prefix: context.name('p') });
      const [id, stream] = [context.name('f'), context.name('s')];
      const prefixed = `${context.name('p')}::${id}`;
      const session = await context.session();
      await session.serve(id, (_data, frame) => frame.function_id);
      same(await worker.result(prefixed, {}), id, 'the id that the session is called by');
      await missing(worker, id);
      await session.bind('stream', id, { stream_name: stream });
      await publish(worker, stream, 1);
      await session.take('invokefunction', ({ data, function_id }) => function_id === id && (data as Frame).streamName === stream);
      session.send({ type: 'unregisterfunction', id });
      await session.settled();
      await missing(worker, prefixed);
    },
  },
  {
    rules: ['RB-9'],
    title: 'trigger types need leave to be registered, triggers a type that is allowed, functions leave that is not taken',
    needs,
    async run(context) {
      const { gate, worker } = await place(context, { allowed_trigger_types: ['stream'] });
      const [type, f] = [context.name('type'), context.name('f')];
      const types = async () => {
        const { triggers } = (await worker.result('engine::triggers::list', {})) as { triggers: Frame[] };
        return triggers.some(({ id }) => id === type);
      };
      const session = await context.session();
      session.send({ type: 'registertriggertype', id: type, description: '' });
      await session.serve(f, () => undefined);
      await session.bind('state', f, {});
      await session.bind('stream', f, { stream_name: context.name('s') });
      same([await types(), await bound(worker, f)], [false, ['stream']], 'whether the type is there, and what is bound');
      gate.grant({ allow_trigger_type_registration: true, allow_function_registration: false });
      const other = await context.session();
      other.send({ type: 'registertriggertype', id: type, description: '' });
      await other.serve(context.name('denied'), () => undefined);
      same(await types(), true, 'whether the type is there when it may be');
      await missing(worker, context.name('denied'));
    },
  },
  {
    rules: ['RB-12', 'RB-13'],
    title: 'a channel that was created through one listener is used through the other, and ends both ways',
    needs,
    async run(context) {
      const { worker } = await place(context);
      const session = await context.session();
      for (const [creator, from, to] of [
        [worker, 'worker', 'rbac'],
        [session, 'rbac', 'worker'],
      ] as const) {
        const { writer, reader } = (await creator.result('engine::channels::create', {})) as ChannelRefs;
        const [out, into] = [await context.channel(channelPath(writer), from), await context.channel(channelPath(reader), to)];
        out.socket.send('ü');
        await into.inbox.take(({ text }) => text === 'ü', `what was written through --${from}`);
        into.socket.close();
        await within(out.closed, context.patienceMs, 'the end of a writer whose reader has left');
      }
      // Some clients append the path behind the query of their address.
      const { writer, reader } = (await worker.result('engine::channels::create', {})) as ChannelRefs;
      const out = await context.channel(`/?api_key=k${channelPath(writer)}`, 'rbac');
      out.socket.send('late');
      const into = await context.channel(channelPath(reader));
      await into.inbox.take(({ text }) => text === 'late', 'what was written before there was a reader');
      const second = await context.channel(channelPath(reader));
      await within(second.closed, context.patienceMs, 'the end of a second reader');
    },
  },
];
