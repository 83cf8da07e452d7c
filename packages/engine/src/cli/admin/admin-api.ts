import { StringDecoder } from 'node:string_decoder';
import { field, isJsonObject, type JsonObject, parseJson, percentEncode, stringField } from '@rivulet/protocol';
import { refuseCredentials, tokenOf } from '../command/access.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { CommandFailure, fail } from '../command/failure.js';
import { readDuration } from '../command/numbers.js';

/** Options of every command that uses the admin listener. */
export const ADMIN_OPTIONS = {
  'admin-url': {
    type: 'value',
    value: 'URL',
    description: 'admin listener of the engine; else RIVULET_ADMIN_URL, else http://127.0.0.1:3113',
  },
  timeout: { type: 'value', value: 'TIME', description: 'the longest wait for an answer, such as 500ms, 30s or 5m; else 30s' },
} as const satisfies Command['options'];

const DEFAULT_URL = 'http://127.0.0.1:3113';
const DEFAULT_TIMEOUT_MS = 30_000;

/** Exit codes of the statuses of the listener. All other statuses have the exit code 1. */
const EXIT_OF_STATUS: Readonly<Record<number, ExitCode>> = {
  400: EXIT.usage,
  401: EXIT.refused,
  403: EXIT.refused,
  503: EXIT.busy,
  504: EXIT.busy,
};

/** The admin API of an engine. All methods throw a `CommandFailure`. */
export interface AdminApi {
  /** Returns the object at a path below `/api`. */
  readonly get: (path: string, query?: Readonly<Record<string, string | number | undefined>>) => Promise<JsonObject>;
  readonly post: (path: string, body: JsonObject) => Promise<JsonObject>;
  /** Yields a long answer in pieces, as it comes. */
  readonly pieces: (path: string) => AsyncIterable<string>;
  /** Returns the metrics in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

/** Runs `use` with the admin API of the engine that the options and the environment name. */
export async function withAdmin(
  input: CommandInput,
  context: CommandContext,
  use: (api: AdminApi) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await use(adminApi(input, context));
  } catch (error) {
    return fail(error, context, input.flag('json'));
  }
}

/** Returns the admin API that the options and the environment name. */
export function adminApi(input: CommandInput, context: Pick<CommandContext, 'env'>): AdminApi {
  const address = input.value('admin-url') ?? context.env.RIVULET_ADMIN_URL ?? DEFAULT_URL;
  return adminApiAt(address, readDuration(input, 'timeout') ?? DEFAULT_TIMEOUT_MS, context);
}

/** Returns the admin API at an address, with the token of the environment. */
export function adminApiAt(address: string, timeoutMs: number, { env }: Pick<CommandContext, 'env'>): AdminApi {
  const base = address.replace(/\/+$/, '');
  refuseCredentials(base, '--admin-url or RIVULET_ADMIN_URL');
  // oxlint-disable-next-line eslint/no-restricted-globals -- this call checks the address that the operator gave
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new CommandFailure('INVALID_ARGUMENTS', '--admin-url or RIVULET_ADMIN_URL is no http:// or https:// address', EXIT.usage);
  const token = tokenOf({ env }, 'RIVULET_ADMIN_TOKEN');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const send = (path: string, body?: string) =>
    request(
      `${base}${path}`,
      body === undefined ? { headers } : { method: 'POST', body, headers: { ...headers, 'content-type': 'application/json' } },
      timeoutMs,
    );
  return {
    get: async (path, query = {}) => {
      const pairs = Object.entries(query).flatMap(([key, value]) =>
        value === undefined ? [] : [`${key}=${percentEncode(String(value))}`],
      );
      return objectOf(await send(`/api/${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`));
    },
    post: async (path, body) => objectOf(await send(`/api/${path}`, JSON.stringify(body))),
    pieces: (path) => piecesOf(`${base}/api/${path}`, { headers }, timeoutMs),
    metrics: () => send('/metrics'),
  };
}

async function request(url: string, init: RequestInit, timeoutMs: number): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    text = await response.text();
  } catch (error) {
    throw connectionFailure(error, timeoutMs);
  }
  if (response.ok) return text;
  throw refusal(response.status, text);
}

/** Each piece must come in time. The time in which the command handles a piece, such as a wait for its own disk, does not count. */
async function* piecesOf(url: string, init: RequestInit, timeoutMs: number): AsyncIterable<string> {
  const late = new AbortController();
  const beginWait = () => setTimeout(() => late.abort(new DOMException('no answer', 'TimeoutError')), timeoutMs);
  let timer = beginWait();
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: late.signal });
    if (!response.ok) throw refusal(response.status, await response.text());
    const decoder = new StringDecoder('utf8');
    for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      yield decoder.write(Buffer.from(bytes));
      timer = beginWait();
    }
  } catch (error) {
    throw error instanceof CommandFailure ? error : connectionFailure(error, timeoutMs);
  } finally {
    clearTimeout(timer);
    late.abort();
  }
}

/** Returns why there was no answer. The error of `fetch` has its cause inside. */
function connectionFailure(error: unknown, timeoutMs: number): CommandFailure {
  if (error instanceof Error && error.name === 'TimeoutError')
    return new CommandFailure('TIMEOUT', `the admin listener did not answer in ${timeoutMs} ms; raise --timeout`, EXIT.busy);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  const hint = 'check that the engine runs, that its configuration lists rivulet-admin, and --admin-url or RIVULET_ADMIN_URL';
  return new CommandFailure('NO_CONNECTION', `no connection to the admin listener (${reason}); ${hint}`, EXIT.unreachable);
}

function refusal(status: number, text: string): CommandFailure {
  const body = parseJson(text);
  const error = isJsonObject(body) ? field(body, 'error') : undefined;
  if (!isJsonObject(error))
    return new CommandFailure('INVALID_FRAME', `the address answered ${status}, and is no admin listener; check --admin-url`, EXIT.failed);
  const hint = status === 401 ? '; give a token in RIVULET_ADMIN_TOKEN' : '';
  const message = `${stringField(error, 'message') ?? `status ${status}`}${hint}`;
  return new CommandFailure(stringField(error, 'code') ?? 'INTERNAL_ERROR', message, EXIT_OF_STATUS[status] ?? EXIT.failed);
}

function objectOf(text: string): JsonObject {
  const value = parseJson(text);
  if (isJsonObject(value)) return value;
  throw new CommandFailure('INVALID_FRAME', 'the answer is not that of an admin listener; check --admin-url', EXIT.failed);
}
