import { parseJson } from '@rivulet/protocol';
import type { Config, JwtConfig } from '../../config/config.js';
import { readPartPattern } from '../../config/part-pattern.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { CONFIG_OPTIONS, withConfig } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure, fail } from '../command/failure.js';
import { readDuration } from '../command/numbers.js';
import { privateKey, secretKey, type TokenKey } from './token-key.js';

const DEFAULT_LIFE_MS = 3_600_000;

/** Prints a token (JWT) for tests and development. A login server makes those of users. */
export const tokenCommand: Command = {
  name: 'token',
  options: {
    ...CONFIG_OPTIONS,
    sub: { type: 'value', value: 'NAME', description: 'name of the user' },
    'expires-in': { type: 'value', value: 'TIME', description: 'life of the token, such as 5m or 7d; default 1h' },
    join: { type: 'value', value: 'PATTERN', multiple: true, description: 'groups or items that may be watched, such as chat/*' },
    call: { type: 'value', value: 'PATTERN', multiple: true, description: 'functions that may be called, such as app::*' },
    lease: { type: 'value', value: 'PATTERN', multiple: true, description: 'groups in which the item of the user is leased' },
    claim: { type: 'value', value: 'NAME=JSON', multiple: true, description: 'another claim; a value that is no JSON is a text' },
    secret: { type: 'value', value: 'SECRET', description: 'shared secret, in place of that of the configuration' },
    'private-key': { type: 'value', value: 'FILE', description: 'private key in PEM: RSA, P-256, P-384, P-521 or Ed25519' },
    'key-id': { type: 'value', value: 'ID', description: 'kid in the header, for listeners with jwks_url' },
    json: { type: 'flag', description: 'print one JSON value on stdout' },
  },
  notes: [
    'The configuration gives the secret, the algorithm, the issuer, the audience and the name of the claim. They are those of rivulet-stream, ' +
      'or of the first listener with rules that checks tokens.',
    'Without --join, --call and --lease the token has no claim for grants, so it gets the grants of the configuration.',
    'Other programs of this machine can read the words of a command. Pass a secret of production in the configuration only.',
  ],
  run: (input, context) =>
    withConfig(input, context, (config) => {
      try {
        return printToken(input, context, jwtOf(config));
      } catch (error) {
        return fail(error, context, input.flag('json'));
      }
    }),
};

function printToken(input: CommandInput, context: CommandContext, jwt: JwtConfig | undefined): typeof EXIT.ok {
  const key = keyOf(input, context, jwt);
  const keyId = input.value('key-id');
  const claims = claimsOf(input, jwt);
  const header = { alg: key.algorithm, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) };
  const signed = `${encoded(header)}.${encoded(claims)}`;
  const token = `${signed}.${key.sign(signed).toString('base64url')}`;
  context.out(input.flag('json') ? `${JSON.stringify({ ok: true, token, header, claims })}\n` : `${token}\n`);
  return EXIT.ok;
}

/** Returns the check of tokens for which the token is made. */
function jwtOf({ stream, workerManagers }: Config): JwtConfig | undefined {
  return stream?.jwt ?? workerManagers.map(({ rbac }) => rbac?.jwt).find((jwt) => jwt !== undefined);
}

function keyOf(input: CommandInput, { cwd }: CommandContext, jwt: JwtConfig | undefined): TokenKey {
  const file = input.value('private-key');
  const secret = input.value('secret') ?? (jwt?.keys.kind === 'secret' ? jwt.keys.secret : undefined);
  if (file !== undefined && input.value('secret') !== undefined) throw wrong('give --secret or --private-key, and not both');
  if (file !== undefined) return privateKey(file, cwd, jwt?.algorithms);
  if (secret !== undefined) return secretKey(secret, jwt?.algorithms);
  throw wrong(
    jwt === undefined
      ? 'no listener of the configuration checks tokens; set auth.jwt, or give --secret or --private-key'
      : 'the configuration has only the public key; give the private one with --private-key',
  );
}

function claimsOf(input: CommandInput, jwt: JwtConfig | undefined): Readonly<Record<string, unknown>> {
  const sub = input.value('sub');
  if (sub === undefined || sub === '') throw wrong('name the user of the token with --sub');
  const now = Math.floor(Date.now() / 1_000);
  const life = Math.ceil((readDuration(input, 'expires-in') ?? DEFAULT_LIFE_MS) / 1_000);
  const [audience] = jwt?.audience ?? [];
  const grants = grantsOf(input);
  return {
    sub,
    iat: now,
    exp: now + life,
    ...(jwt?.issuer === undefined ? {} : { iss: jwt.issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    ...(grants === undefined ? {} : { [jwt?.claim ?? 'rivulet']: grants }),
    ...Object.fromEntries(input.values('claim').map(readClaim)),
  };
}

function grantsOf(input: CommandInput): Readonly<Record<string, readonly string[]>> | undefined {
  const lists = [
    ['join', '/', [2, 3]],
    ['call', '::', undefined],
    ['lease', '/', [2]],
  ] as const;
  const given = lists.filter(([name]) => input.values(name).length > 0);
  for (const [name, separator, lengths] of given)
    for (const pattern of input.values(name)) {
      const parts = readPartPattern(pattern, separator);
      if (parts === undefined || lengths?.some((length) => length === parts.length) === false)
        throw wrong(`--${name} ${pattern} is no pattern; write ${name === 'call' ? 'app::read or app::*' : 'chat/room-1 or chat/*'}`);
    }
  return given.length === 0 ? undefined : Object.fromEntries(given.map(([name]) => [name, input.values(name)]));
}

function readClaim(text: string): readonly [name: string, value: unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw wrong(`--claim ${text} is no claim; write NAME=JSON, such as role=admin`);
  const json = text.slice(at + 1);
  const value = parseJson(json);
  return [text.slice(0, at), value === undefined ? json : value];
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function wrong(message: string): CommandFailure {
  return new CommandFailure('INVALID_ARGUMENTS', message, EXIT.usage);
}
