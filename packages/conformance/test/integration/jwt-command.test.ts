import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadConfig, startEngine } from '@rivulet/engine';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { EC, RSA, SECRET } from '@rivulet/testkit/jwt-tokens';
import { describe, expect, it, onTestFinished } from 'vitest';

const configWith = (jwt: string) => `workers:
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1 }
  - name: iii-stream
    config: { port: 0, host: 127.0.0.1, adapter: { name: kv, config: { store_method: in_memory } }, auth: { jwt: { ${jwt} } } }
`;
const WITH_SECRET = 'algorithms: [HS384, HS256], secret: "${JWT_SECRET}", grants: { join: ["inbox/{sub}"] }';
const ENV = { JWT_SECRET: SECRET };

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

const pem = (key: KeyObject) => key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();

/** Starts an engine with `auth.jwt`. `read` returns the status of a group for a token. `make` runs the command in its directory. */
async function start(jwt: string, files: Readonly<Record<string, string>> = {}) {
  const cwd = directoryWith({ 'iii-config.yaml': configWith(jwt), ...files });
  const engine = await startEngine(loadConfig({ cwd, env: ENV, lenient: false }));
  onTestFinished(() => engine.stop());
  const port = engine.listeners.find(({ name }) => name === 'stream')?.port;
  const read = async (path: string, token: string) =>
    (await fetch(`http://127.0.0.1:${port}/stream/${path}`, { headers: { authorization: `Bearer ${token.trim()}` } })).status;
  const make = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await run(['token', ...words], cwd, ENV);
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };
  return { cwd, read, make };
}

interface Made {
  readonly ok: true;
  readonly token: string;
  readonly header: object;
  readonly claims: { readonly iat: number; readonly exp: number };
}

describe('rivulet token', () => {
  it('makes a token that the engine with the same configuration takes', async () => {
    const { read, make } = await start(WITH_SECRET);
    const plain = await make('--sub', 'ann');
    expect(plain).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect([await read('inbox/ann', plain), await read('inbox/bob', plain)]).toEqual([200, 403]);
    const own = await make('--sub', 'ann', '--join', 'chat/*', '--join', 'news/today');
    expect([await read('chat/a', own), await read('news/today', own), await read('inbox/ann', own)]).toEqual([200, 200, 403]);
    const wrong = await make('--sub', 'ann', '--secret', 'x'.repeat(48));
    expect(await read('inbox/ann', wrong)).toBe(401);
  });

  it('has the claims that the configuration and the words name', async () => {
    const { read, make } = await start(`${WITH_SECRET}, issuer: "login", audience: ["app", "other"], claim: "may"`);
    const words = ['--expires-in', '5m', '--call', 'app::*', '--lease', 'presence/*', '--claim', 'role=admin', '--claim', 'teams=[1]'];
    const { token, header, claims } = JSON.parse(await make('--sub', 'ann', ...words, '--key-id', 'k1', '--json')) as Made;
    expect(header).toEqual({ alg: 'HS384', typ: 'JWT', kid: 'k1' });
    const may = { call: ['app::*'], lease: ['presence/*'] };
    const { iat } = claims;
    expect(claims).toEqual({ sub: 'ann', iat, exp: iat + 300, iss: 'login', aud: 'app', may, role: 'admin', teams: [1] });
    expect([await read('presence/room-1', token), await read('inbox/ann', token)]).toEqual([200, 403]);
    const late = await make('--sub', 'ann', '--claim', `exp=${iat - 1}`);
    expect(await read('inbox/ann', late)).toBe(401);
  });

  it.each([
    ['RS256', RSA],
    ['PS256', RSA],
    ['ES256', EC],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ])('signs by %s with a private key', async (algorithm, { publicKey, privateKey }) => {
    const jwt = `algorithms: [${algorithm}], public_key: public.pem, grants: { join: ["chat/*"] }`;
    const { read, make } = await start(jwt, { 'public.pem': pem(publicKey), 'private.pem': pem(privateKey) });
    expect(await read('chat/a', await make('--sub', 'ann', '--private-key', 'private.pem'))).toBe(200);
  });

  it.each<[readonly string[], RegExp]>([
    [[], /--sub/],
    [['--sub', 'ann', '--expires-in', '1y'], /duration/],
    [['--sub', 'ann', '--join', 'chat'], /chat\/\*/],
    [['--sub', 'ann', '--lease', 'chat/room-1/item'], /chat\/\*/],
    [['--sub', 'ann', '--claim', 'role'], /NAME=JSON/],
    [['--sub', 'ann', '--secret', SECRET, '--private-key', 'private.pem'], /not both/],
    [['--sub', 'ann', '--private-key', 'iii-config.yaml'], /no private key/],
  ])('%j is refused with a message, and prints no secret', async (words, message) => {
    const cwd = directoryWith({ 'iii-config.yaml': configWith(WITH_SECRET) });
    const finished = await run(['token', ...words], cwd, ENV);
    expect(finished).toMatchObject({ code: 64, stdout: '', stderr: expect.stringMatching(message) });
    expect(finished.stderr).not.toContain(SECRET);
  });

  it('works as the lines of docs/jwt.md show', async () => {
    const document = readFileSync(join(ROOT, 'docs/jwt.md'), 'utf8');
    const [lines = '', yaml = ''] = ['sh', 'yaml'].map((language) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(document)?.[1]);
    const cwd = directoryWith({ 'iii-config.yaml': yaml });
    const secret = /JWT_SECRET=(\S+)/.exec(lines)?.[1] ?? '';
    const engine = await startEngine(
      loadConfig({
        cwd: directoryWith({ 'iii-config.yaml': yaml.replace(/port: \d+/g, 'port: 0') }),
        env: { JWT_SECRET: secret },
        lenient: false,
      }),
    );
    onTestFinished(() => engine.stop());
    const port = engine.listeners.find(({ name }) => name === 'stream')?.port;
    const script = lines.replaceAll(':3112/', `:${port}/`).replaceAll('curl -s', "curl -s -o /dev/null -w '%{http_code}\\n'");
    const path = `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`;
    const { stdout } = await promisify(execFile)('sh', ['-ec', script], { cwd, env: { PATH: path } });
    expect(stdout).toMatch(/^(?:[\w-]+\.[\w-]+\.[\w-]+\n){2}200\n$/);
  });

  it('needs a key that the configuration does not have', async () => {
    const cwd = directoryWith({
      'iii-config.yaml': configWith('algorithms: [RS256], public_key: public.pem'),
      'public.pem': pem(RSA.publicKey),
      'bare.yaml': 'workers: []\n',
    });
    expect(await run(['token', '--sub', 'ann'], cwd)).toMatchObject({ code: 64, stderr: expect.stringContaining('--private-key') });
    const bare = await run(['token', '--sub', 'ann', '--config', 'bare.yaml', '--json'], cwd);
    expect([bare.code, JSON.parse(bare.stdout)]).toMatchObject([64, { ok: false, error: { code: 'INVALID_ARGUMENTS' } }]);
  });
});
