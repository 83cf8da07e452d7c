import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { EngineProcess, type EngineProcessOptions } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect } from 'vitest';

const RECORDER = fileURLToPath(new URL('recorded-spans.mjs', import.meta.url));

export interface RecordedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message?: string };
}

/** Options of the engine, and the method in which its SDK fails. */
type TracedOptions = Pick<EngineProcessOptions, 'adapter' | 'storeMethod' | 'config'> & { readonly fault?: string };

/** Starts the bundled engine with an SDK. `spans` stops the engine and resolves with the spans that it has recorded. */
export async function startTraced({ fault, ...options }: TracedOptions = {}) {
  const file = join(directoryWith({}), 'spans.jsonl');
  const engine = await EngineProcess.start({
    ...options,
    state: [],
    env: { NODE_OPTIONS: `--import ${RECORDER}`, RIVULET_TEST_SPANS: file, ...(fault === undefined ? {} : { RIVULET_TEST_FAULT: fault }) },
  });
  const spans = async () => {
    expect(await engine.stop()).toBe(0);
    return new Recording(existsSync(file) ? readFileSync(file, 'utf8') : '');
  };
  return { engine, worker: await RawWorker.connect(engine.workerUrl), spans };
}

class Recording {
  readonly text: string;
  readonly all: readonly RecordedSpan[];

  constructor(text: string) {
    this.text = text;
    this.all = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RecordedSpan);
  }

  /** Returns the one span of this name. */
  one(name: string): RecordedSpan {
    const found = this.all.filter((span) => span.name === name);
    const [first] = found;
    if (first === undefined || found.length > 1)
      throw new Error(`${found.length} spans ${name} among ${this.all.map((span) => span.name).join(', ')}`);
    return first;
  }
}

/** Writes in each way that fires triggers. Expects that each firing is a child of its write, and each write a child of its call. */
export async function triggersBelongToWrites(options: TracedOptions): Promise<void> {
  const { worker, spans } = await startTraced(options);
  await worker.serve('app::on-change', () => null);
  await worker.bind('stream', 'app::on-change', { stream_name: 'orders' });
  const group = { stream_name: 'orders', group_id: 'g' };
  const writes = [1, 2].map((n) => ({ type: 'set', item_id: `b${n}`, data: n }));
  await Promise.all([
    worker.result('stream::set', { ...group, item_id: 'a', data: { n: 1 } }),
    worker.result('stream::set', { ...group, item_id: 'a', data: { n: 2 }, with_versions: true }),
    worker.result('stream::update', { ...group, item_id: 'a', ops: [{ type: 'increment', path: 'n', by: 1 }] }),
    worker.result('stream::delete', { ...group, item_id: 'a' }),
    worker.result('stream::send', { ...group, type: 'hello', data: {} }),
    worker.result('stream::batch', { ...group, writes }),
  ]);
  for (let n = 0; n < 7; n++) await worker.take('invokefunction');
  const { all } = await spans();
  const parentOf = ({ parentId }: RecordedSpan) => all.find(({ spanId }) => spanId === parentId);
  const triggers = all.filter(({ name }) => name === 'trigger stream');
  const names = ['stream.batch', 'stream.batch', 'stream.delete', 'stream.send', 'stream.set', 'stream.set', 'stream.update'];
  expect(triggers.map((span) => parentOf(span)?.name ?? 'none').toSorted()).toEqual(names);
  expect(new Set(triggers.map((span) => parentOf(parentOf(span) as RecordedSpan)?.name.replace('call stream::', 'stream.')))).toEqual(
    new Set(names),
  );
}
