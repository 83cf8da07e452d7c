import { connect, type StreamClient, StreamError } from '@rivulet/client';
import { WebSocket } from 'ws';
import { refuseCredentials } from '../command/access.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';

/** Options of every command that watches a running engine. */
export const STREAM_OPTIONS = {
  'stream-url': {
    type: 'value',
    value: 'URL',
    description: 'stream port of the engine; else RIVULET_STREAM_URL, else port 3112 of the host in --url',
  },
  url: { type: 'value', value: 'URL', description: 'worker port of the engine; else RIVULET_URL, else ws://127.0.0.1:49134' },
} as const satisfies Command['options'];

const DEFAULT_HOST = 'ws://127.0.0.1';
const STREAM_PORT = 3112;

/** Exit codes of the error codes of the client. All other errors have the exit code 1. */
const EXIT_OF_CODE: Readonly<Record<string, ExitCode>> = {
  INVALID_URL: EXIT.usage,
  INVALID_ID: EXIT.usage,
  CONNECT_FAILED: EXIT.unreachable,
  UNAUTHORIZED: EXIT.refused,
  FORBIDDEN: EXIT.refused,
};

/** Connects to the stream port that the options and the environment name. Throws a `CommandFailure` for a wrong address. */
export function connectStreams(input: CommandInput, context: CommandContext): StreamClient {
  const token = context.env.RIVULET_STREAM_TOKEN;
  const url = streamUrl(input, context);
  refuseCredentials(url, '--stream-url, RIVULET_STREAM_URL, --url or RIVULET_URL');
  try {
    // The operator chose the address, so `ws:` to another machine is allowed here.
    return connect(url, { WebSocket, insecure: true, ...(token === undefined ? {} : { token }) });
  } catch (error) {
    if (error instanceof StreamError) throw streamFailure(error);
    throw error;
  }
}

export function streamFailure({ code, message }: StreamError): CommandFailure {
  const hint = code === 'UNAUTHORIZED' ? '; give a token in RIVULET_STREAM_TOKEN' : '';
  const address = code === 'CONNECT_FAILED' || code === 'INVALID_URL' ? '; --stream-url or RIVULET_STREAM_URL is the stream port' : '';
  return new CommandFailure(code, `${message}${hint}${address}`, EXIT_OF_CODE[code] ?? EXIT.failed);
}

/** Returns the address of the stream port: as given, or that of the default port beside the worker port. */
export function streamUrl(input: CommandInput, { env }: Pick<CommandContext, 'env'>): string {
  const given = input.value('stream-url') ?? env.RIVULET_STREAM_URL;
  if (given !== undefined) return given;
  const [host = DEFAULT_HOST] = /^wss?:\/\/(?:[^@/?#]*@)?(?:\[[^\]]*\]|[^:/?#]+)/.exec(input.value('url') ?? env.RIVULET_URL ?? '') ?? [];
  return `${host}:${STREAM_PORT}`;
}
