import { randomUUID } from 'node:crypto';
import { same } from '../../peers/check.js';
import { Failure, type Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

const needs = ['worker'] as const;

export const triggerCases: readonly Case[] = [
  {
    rules: ['WP-14', 'WP-16'],
    title: 'a binding that comes first reaches the provider of its type once there is one, and again after its restart',
    needs,
    async run(context) {
      const [binder, provider] = [await context.worker(), await context.worker()];
      const type = context.name('type');
      const id = await binder.bind(type, context.name('f'), { a: 1 }, { metadata: { k: 1 } });
      const expected = { id, trigger_type: type, function_id: context.name('f'), config: { a: 1 }, metadata: { k: 1 } };
      provider.send({ type: 'registertriggertype', id: type, description: '' });
      // A registration waits up to 5 s for the announcement of its worker (V25-7). A call without a namespace ends the wait.
      await provider.settled();
      const { type: _type, ...first } = await provider.take('registertrigger');
      same(first, expected, 'the registration that the provider gets');
      await provider.drop();
      const again = await context.worker();
      again.send({ type: 'registertriggertype', id: type, description: '' });
      await again.settled();
      const { type: _again, ...second } = await again.take('registertrigger');
      same(second, expected, 'the registration that the next provider gets');
      binder.send({ type: 'unregistertrigger', id });
      same((await again.take('unregistertrigger')).id, id, 'the binding that ends');
    },
  },
  {
    rules: ['WP-16'],
    title: 'an error of the provider reaches the worker that bound',
    needs,
    async run(context) {
      const [binder, provider] = [await context.worker(), await context.worker()];
      const type = context.name('type');
      provider.send({ type: 'registertriggertype', id: type, description: '' });
      await provider.settled();
      const id = await binder.bind(type, context.name('f'), {});
      await provider.take('registertrigger');
      const error = { code: 'trigger_registration_failed', message: 'no' };
      provider.send({ type: 'triggerregistrationresult', id, trigger_type: type, function_id: context.name('f'), error });
      same((await binder.take('triggerregistrationresult')).error, error, 'the error');
    },
  },
  {
    rules: ['WP-15'],
    title: 'a trigger registered twice under one id fires once',
    needs: ['worker', 'stream'],
    async run(context) {
      const worker = await context.worker();
      const [f, stream] = [context.name('f'), context.name('s')];
      await worker.serve(f, () => undefined);
      const trigger = {
        type: 'registertrigger',
        id: randomUUID(),
        trigger_type: 'stream',
        function_id: f,
        config: { stream_name: stream },
      };
      worker.send(trigger);
      worker.send(trigger);
      for (const type of ['one', 'two']) await worker.result('stream::send', { stream_name: stream, group_id: 'g', type, data: 1 });
      const ofTwo = (frame: Frame) => frame.function_id === f && JSON.stringify(frame.data).includes('"two"');
      await worker.take('invokefunction', ofTwo);
      await worker.settled();
      same(worker.callsOf(f).length, 2, 'firings of two events');
    },
  },
  {
    rules: ['WP-24', 'ST-16', 'WP-23'],
    title: 'a stream trigger fires unless its condition answers false or fails, with its metadata',
    needs: ['worker', 'stream'],
    async run(context) {
      const worker = await context.worker();
      const stream = context.name('s');
      const last = context.name('last');
      await worker.serve(last, () => undefined);
      const conditions: Record<string, () => unknown> = {
        false: () => false,
        error: () => {
          throw new Failure({ code: 'no', message: 'no' });
        },
        null: () => null,
        true: () => true,
        object: () => ({}),
      };
      for (const [name, condition] of Object.entries(conditions)) {
        await worker.serve(context.name(`if-${name}`), condition);
        await worker.serve(context.name(`then-${name}`), () => undefined);
        const config = { stream_name: stream, group_id: 'g', condition_function_id: context.name(`if-${name}`) };
        await worker.bind('stream', context.name(`then-${name}`), config, { metadata: { name } });
      }
      const other = context.name('other');
      await worker.serve(other, () => undefined);
      await worker.bind('stream', other, { stream_name: stream, group_id: 'another' });
      await worker.result('stream::set', { stream_name: stream, group_id: 'g', item_id: 'i', data: { n: 1 } });
      for (const name of ['null', 'true', 'object']) {
        const call = await worker.takeCall(context.name(`then-${name}`));
        same(call.metadata, { name }, 'metadata of the trigger');
        const { timestamp: _timestamp, offset: _offset, ...frame } = call.data as Record<string, unknown>;
        const event = { type: 'create', data: { n: 1 } };
        same(frame, { type: 'stream', streamName: stream, groupId: 'g', id: 'i', event }, 'what the handler got');
      }
      await worker.settled();
      for (const name of ['false', 'error'])
        same(worker.callsOf(context.name(`then-${name}`)).length, 0, `firings after a condition: ${name}`);
      same(worker.callsOf(other).length, 0, 'firings of a trigger of another group');
      await worker.result('stream::delete', { stream_name: stream, group_id: 'g', item_id: 'i' });
    },
  },
];
