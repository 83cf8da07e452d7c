import { directoryWith } from '@rivulet/testkit/directory-with';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { startEngine } from '../../src/engine.js';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';

const ADAPTER = `
const no = async () => {};
export const createStore = () => ({
  apply: no, get: no, snapshot: no, changes: no, groups: no, streams: no, watch: no, unwatch() {},
  start: async () => { throw new Error('database "prod" refused the password'); },
  close: async () => { throw new TypeError('there is no connection to end'); },
});
`;

it('a start that fails says why, whatever comes of tidying up, which the log tells', async () => {
  const cwd = directoryWith({
    'my.mjs': ADAPTER,
    'iii-config.yaml': 'workers:\n  - name: iii-stream\n    config: { port: 0, adapter: { module: ./my.mjs } }\n',
  });
  const config = loadConfig({ cwd, env: {}, lenient: false });
  const errors: [string, LogFields | undefined][] = [];
  const starting = startEngine(config, { logger: { ...silentLogger, error: (event, fields) => void errors.push([event, fields]) } });
  await expect(starting).rejects.toThrow(`adapter ${cwd}/my.mjs: start failed: database "prod" refused the password`);
  expect(errors).toEqual([
    [
      'stop_failed',
      { error: expect.objectContaining({ message: expect.stringContaining('there is no connection to end') as string }) as Error },
    ],
  ]);
});
