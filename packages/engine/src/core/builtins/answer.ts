import { type ErrorBody, type ErrorCode, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { BuiltinSchemas } from '../contracts/builtin-contract.js';
import type { Fabric } from '../fabric/fabric.js';
import type { Call, Outcome } from '../fabric/invocation.js';

/** Bytes that the envelope of an answer may take of the caller's message limit. */
const ENVELOPE_BYTES = 4_096;

/** An error that a worker's function chose. Trusted callers get it unchanged. */
export class AnsweredError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.message);
    this.name = 'AnsweredError';
    this.body = body;
  }
}

/**
 * Resolves with the outcome of a built-in function. A `RivuletError` and an `AnsweredError` keep their code. Any other error becomes
 * `code`, and the log gets its cause as `event`.
 */
export function answerOf(running: Promise<JsonText | undefined>, code: ErrorCode, logger: Logger, event: string): Promise<Outcome> {
  return running.then(
    (text) => ({ kind: 'result', text }) as const,
    (error: unknown) => {
      if (error instanceof RivuletError) return { kind: 'error', error: error.toBody(), origin: 'engine' } as const;
      if (error instanceof AnsweredError) return { kind: 'error', error: error.body, origin: 'function' } as const;
      logger.error(event, { code, error: error instanceof Error ? error.stack : String(error) });
      return {
        kind: 'error',
        error: { code, message: 'the store failed; the log of the engine has the cause' },
        origin: 'engine',
      } as const;
    },
  );
}

/**
 * Returns a function that registers the built-in functions of a store. The engine logs an error that nobody foresaw as `event`, and the
 * caller gets the code of the function.
 */
export function storeFunctions<Id extends string>(
  { fabric, logger }: { readonly fabric: Fabric; readonly logger: Logger },
  schemas: Readonly<Record<Id, BuiltinSchemas>>,
  event: string,
) {
  return (id: Id, code: ErrorCode, description: string, run: (call: Call) => Promise<JsonText | undefined>): void =>
    fabric.registerBuiltin(id, (call) => answerOf(run(call), code, logger, event), description, schemas[id]);
}

/** Returns the bytes that the result of a call may have, so that its answer fits one message of the caller. */
export function resultBytes(call: Call): number {
  return (call.caller?.maxMessageBytes ?? LIMITS.workerMessageBytes) - ENVELOPE_BYTES;
}
