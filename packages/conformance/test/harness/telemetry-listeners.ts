import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect } from 'vitest';

export const TELEMETRY_LISTENERS = ['without rules', 'with rules'] as const;

interface Behind {
  readonly engine: TestEngine;
  readonly proxy: HalfOpenProxy;
  /** The address for the worker. With rules it has the token that the auth function requires. */
  readonly url: string;
  /** Returns the number of calls of the auth function; 0 without rules. */
  readonly authCalls: () => number;
}

/** Starts an engine with a listener of this kind, behind a proxy that counts connections. */
export async function startBehindProxy(listener: (typeof TELEMETRY_LISTENERS)[number]): Promise<Behind> {
  if (listener === 'without rules') {
    const engine = await startTestEngine();
    const proxy = await HalfOpenProxy.to(engine.workerUrl);
    return { engine, proxy, url: proxy.url, authCalls: () => 0 };
  }
  const exposeFunctions = [{ kind: 'match', pattern: 'engine::health::check' } as const, { kind: 'match', pattern: 'app::*' } as const];
  const engine = await startTestEngine({ guest: { rbac: { authFunction: 'test::auth', exposeFunctions } } });
  const trusted = await RawWorker.connect(engine.workerUrl);
  let authCalls = 0;
  await trusted.serve('test::auth', (data) => {
    authCalls++;
    const { query_params } = data as { readonly query_params: Readonly<Record<string, readonly string[]>> };
    expect(query_params.token).toEqual(['good']);
    return {};
  });
  const proxy = await HalfOpenProxy.to(engine.guestUrl);
  return { engine, proxy, url: `${proxy.url}/?token=good`, authCalls: () => authCalls };
}
