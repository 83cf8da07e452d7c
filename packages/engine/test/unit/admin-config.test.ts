import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const LONG = 'a-random-token-of-an-operator';
const file = (config: string) => `workers:\n  - name: rivulet-admin\n    config: ${config}\n`;

describe('rivulet-admin', () => {
  it('is open without a file and with its entry, and closed in a file without it', () => {
    expect(loadConfig({ cwd: directoryWith(), env: {}, lenient: false }).admin).toMatchObject({ port: 3113, host: '127.0.0.1' });
    expect(load(file('{ port: 4000 }')).admin).toEqual({
      port: 4_000,
      host: '127.0.0.1',
      token: undefined,
      viewerToken: undefined,
      allowedHosts: [],
      metricsOpen: false,
    });
    expect(load('workers: [{ name: iii-pubsub }]').admin).toBeUndefined();
  });

  it.each([
    [
      'without a token on another address',
      '{ host: 0.0.0.0 }',
      'everyone who can connect to 0.0.0.0:3113 could read and change everything',
    ],
    ['with an empty token', '{ token: "" }', 'token is empty'],
    ['with an empty viewer_token', '{ viewer_token: null }', 'viewer_token is empty'],
    ['with a token with spaces', '{ token: "a b" }', 'this value is not valid'],
    ['with one token for both', `{ token: ${LONG}, viewer_token: ${LONG} }`, 'token and viewer_token are the same'],
    ['with an unknown key', '{ metric_open: true }', 'did you mean "metrics_open"?'],
    ['on the port of another entry', '{ port: 49134 }', 'port 49134 is taken by another entry'],
  ])('is refused %s', (_what, config, reason) => {
    const problems = problemsOf(`${file(config)}  - name: iii-worker-manager\n`);
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining(reason)]);
    expect(JSON.stringify(problems)).not.toContain(LONG);
  });

  it.each(['token', 'viewer_token'])('may listen on another address with a %s', (key) => {
    const config = load(file(`{ host: 0.0.0.0, ${key}: ${LONG} }`));
    expect(warningCodes(config)).toEqual([]);
    expect(JSON.stringify(describeConfig(config))).not.toContain(LONG);
    expect(JSON.stringify(describeConfig(config))).toContain(`"${key}":"***"`);
  });

  it('warns of a token that can be guessed, and does not show it', () => {
    const config = load(file('{ token: swordfish }'));
    expect(warningCodes(config)).toEqual(['admin_token_short']);
    expect(JSON.stringify(config.warnings)).not.toContain('swordfish');
  });
});
