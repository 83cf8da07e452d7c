import { TriggerAction, type TriggerActionType } from './trigger-action.js';

interface Caller {
  trigger(request: { function_id: string; payload: object; action: TriggerActionType }): Promise<unknown>;
}

/** A worker that accepts log lines. It calls the fallback for each line that is lost, and reports no warning. */
export interface LineTaker {
  takeLine(functionId: string, payload: object, fallBack: () => void): void;
}

/** Returns whether a worker accepts log lines. Workers of this SDK do. Other workers get void calls. */
function takesLines(worker: Caller): worker is Caller & LineTaker {
  return 'takeLine' in worker && typeof worker.takeLine === 'function';
}

/** The worker that was made last. A logger without a worker of its own writes to it. */
let latest: Caller | undefined;

export function logThrough(worker: Caller): void {
  latest = worker;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

/**
 * Writes lines to the log of the engine (`engine::log::*`), in the order of the calls. A line that can't be sent goes to the console. Never
 * throws.
 */
export class Logger {
  readonly #traceId: string | undefined;
  readonly #serviceName: string | undefined;
  readonly #spanId: string | undefined;
  readonly #worker: Caller | undefined;

  /** `worker`: the worker through which the logger writes. By default it is the worker that was made last in this process. */
  constructor(traceId?: string, serviceName?: string, spanId?: string, worker?: Caller) {
    this.#traceId = traceId;
    this.#serviceName = serviceName;
    this.#spanId = spanId;
    this.#worker = worker;
  }

  debug(message: string, data?: unknown): void {
    this.#write('debug', message, data);
  }

  info(message: string, data?: unknown): void {
    this.#write('info', message, data);
  }

  warn(message: string, data?: unknown): void {
    this.#write('warn', message, data);
  }

  error(message: string, data?: unknown): void {
    this.#write('error', message, data);
  }

  #write(level: Level, message: string, data: unknown): void {
    const worker = this.#worker ?? latest;
    // oxlint-disable-next-line no-console -- a line is not lost because there is no engine to take it
    const fallBack = () => (data === undefined ? console[level](message) : console[level](message, data));
    if (worker === undefined) return fallBack();
    const payload = { message, data, trace_id: this.#traceId, span_id: this.#spanId, service_name: this.#serviceName };
    const function_id = `engine::log::${level}`;
    if (takesLines(worker)) worker.takeLine(function_id, payload, fallBack);
    else worker.trigger({ function_id, payload, action: TriggerAction.Void() }).catch(fallBack);
  }
}
