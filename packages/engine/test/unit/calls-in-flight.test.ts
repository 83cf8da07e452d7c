import { collectGarbage } from '@rivulet/testkit/measures/heap';
import { expect, test } from 'vitest';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import type { Call, Outcome } from '../../src/core/fabric/invocation.js';
import { RequestedCalls } from '../../src/core/workers/requested-calls.js';
import { silentLogger } from '../../src/logging/logger.js';

test.each([undefined, 'app::middleware'])(
  'a call in flight holds nothing of what was sent (middleware: %s)',
  async (middlewareFunction) => {
    const fabric = new FunctionFabric(silentLogger);
    const waiting: ((outcome: Outcome) => void)[] = [];
    const dispatch = (_call: Call, done: (outcome: Outcome) => void) => {
      waiting.push(done);
      return { cancel() {} };
    };
    for (const id of ['app::slow', 'app::middleware']) {
      fabric.functions.register({
        namespace: 'default',
        id,
        owner: { workerId: 'w', dispatch, displaced() {} },
        description: null,
        requestFormat: null,
        responseFormat: null,
        metadata: undefined,
        httpInvoked: false,
        guest: false,
        mayDecide: true,
      });
    }
    const sent: string[] = [];
    const caller = {
      workerId: 'c',
      version: undefined,
      maxMessageBytes: 1_000,
      runningCalls: 0,
      warnOnce() {},
      send: (text: string) => {
        sent.push(text);
        return 'sent' as const;
      },
    };
    const made = new RequestedCalls({ fabric, maxInFlightCalls: 10, middlewareFunction, logger: silentLogger }, caller);
    const call = () => {
      const data = { much: 'x' };
      made.make({
        type: 'invokefunction',
        invocation_id: 'i',
        function_id: 'app::slow',
        data,
        action: undefined,
        namespace: undefined,
        metadata: undefined,
        traceparent: 't',
        baggage: 'b',
        inexactNumbers: false,
      });
      return new WeakRef(data);
    };
    const held = call();
    // V8 keeps a weak reference until the turn of the event loop that made it has ended.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(made.inFlight).toBe(1);
    expect(held.deref()).toBe(undefined);
    waiting[0]?.({ kind: 'result', text: '1' });
    const answer = { type: 'invocationresult', invocation_id: 'i', function_id: 'app::slow', result: 1, traceparent: 't', baggage: 'b' };
    expect(sent.map((text) => JSON.parse(text) as unknown)).toEqual([answer]);
  },
);
