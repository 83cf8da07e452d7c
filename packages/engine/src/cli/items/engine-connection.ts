import type { ISdk } from '@rivulet/sdk';
import { InvocationError, registerWorker } from '@rivulet/sdk';
import { refuseCredentials, tokenOf } from '../command/access.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { CommandFailure, fail } from '../command/failure.js';
import { readDuration } from '../command/numbers.js';

/** Options of every command that calls a running engine. */
export const ENGINE_OPTIONS = {
  url: { type: 'value', value: 'URL', description: 'worker port of the engine; else RIVULET_URL, else ws://127.0.0.1:49134' },
  timeout: { type: 'value', value: 'TIME', description: 'the longest wait for an answer, such as 500ms, 30s or 5m; else 30s' },
  json: { type: 'flag', description: 'print one JSON value on stdout' },
} as const satisfies Command['options'];

const DEFAULT_URL = 'ws://127.0.0.1:49134';
const DEFAULT_TIMEOUT_MS = 30_000;

/** Exit codes of the error codes of calls. All other errors have the exit code 1. */
const EXIT_OF_CODE: Readonly<Record<string, ExitCode>> = {
  INVALID_ARGUMENTS: EXIT.usage,
  INVALID_ID: EXIT.usage,
  INVALID_NAMESPACE: EXIT.usage,
  deserialization_error: EXIT.usage,
  CONNECTION_LOST: EXIT.unreachable,
  WORKER_CLOSED: EXIT.unreachable,
  TIMEOUT: EXIT.busy,
  OVERLOADED: EXIT.busy,
  RATE_LIMITED: EXIT.busy,
  ENGINE_STOPPING: EXIT.busy,
  STORE_UNAVAILABLE: EXIT.busy,
  FORBIDDEN: EXIT.refused,
  UNAUTHORIZED: EXIT.refused,
};

/** A connection to the worker port of an engine. */
export interface EngineCalls {
  /** Calls a function. Throws a `CommandFailure`. */
  readonly call: (functionId: string, payload: unknown) => Promise<unknown>;
}

/** Runs `use` with a connection to the engine that the options and the environment name, and ends the connection. */
export async function withEngine(
  input: CommandInput,
  context: CommandContext,
  use: (engine: EngineCalls) => Promise<ExitCode>,
): Promise<ExitCode> {
  let worker: ISdk | undefined;
  try {
    const timeoutMs = readDuration(input, 'timeout') ?? DEFAULT_TIMEOUT_MS;
    const opened = connect(input.value('url') ?? context.env.RIVULET_URL ?? DEFAULT_URL, timeoutMs, context);
    worker = opened;
    await whenOpen(opened, timeoutMs);
    return await use({
      call: (function_id, payload) => opened.trigger<unknown, unknown>({ function_id, payload, timeoutMs }).catch(rethrow),
    });
  } catch (error) {
    return fail(error, context, input.flag('json'));
  } finally {
    await worker?.close();
  }
}

function connect(url: string, invocationTimeoutMs: number, context: CommandContext): ISdk {
  const token = tokenOf(context, 'RIVULET_TOKEN');
  refuseCredentials(url, '--url or RIVULET_URL');
  try {
    return registerWorker(url, {
      workerName: 'rivulet-command',
      description: 'The command line',
      invocationTimeoutMs,
      reconnectionConfig: { maxRetries: 0 },
      // The other warnings say the same as the error line with which the command ends.
      onWarning: (code, message) => {
        if (code === 'INSECURE_URL') context.err(`note: ${message} (${code})\n`);
      },
      ...(token === undefined ? {} : { authToken: token }),
    });
  } catch (error) {
    if (!(error instanceof InvocationError)) throw error;
    throw new CommandFailure(error.code, `${detailOf(error)}; give --url or RIVULET_URL the address of the worker port`, EXIT.usage);
  }
}

/** Resolves when the connection is open. Throws a `CommandFailure` when it cannot be opened. */
function whenOpen(worker: ISdk, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unreachable('the connection did not open in time', EXIT.busy)), timeoutMs);
    const check = () => {
      const state = worker.connectionState;
      if (state.kind !== 'open' && state.kind !== 'closed') return;
      clearTimeout(timer);
      stop();
      if (state.kind === 'open') resolve();
      else reject(refusal(state.last.reason === '' ? `closed with ${state.last.code}` : state.last.reason, state.last.code));
    };
    const stop = worker.onConnectionState(check);
    check();
  });
}

const POLICY_VIOLATION = 1008;

function refusal(reason: string, code: number): CommandFailure {
  if (code === POLICY_VIOLATION || /response: 40[13]\b/.test(reason))
    return new CommandFailure('UNAUTHORIZED', `the engine refused the connection (${reason}); give a token in RIVULET_TOKEN`, EXIT.refused);
  return unreachable(reason, EXIT.unreachable);
}

function unreachable(reason: string, exit: ExitCode): CommandFailure {
  return new CommandFailure(
    'NO_CONNECTION',
    `no connection to the engine (${reason}); check that it runs, and that --url or RIVULET_URL is its worker port`,
    exit,
  );
}

function rethrow(error: unknown): never {
  if (!(error instanceof InvocationError)) throw error;
  throw new CommandFailure(error.code, detailOf(error), EXIT_OF_CODE[error.code] ?? EXIT.failed);
}

function detailOf({ code, message }: InvocationError): string {
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}
