import { Failure, type Frame, type Handler, type PeerWorker } from './peer-worker.js';

/** What the guest worker listener is configured to ask, by what it asks for. */
export const GATE_FUNCTIONS = {
  auth: 'conformance::auth',
  middleware: 'conformance::middleware',
  onFunction: 'conformance::on-function',
  onTrigger: 'conformance::on-trigger',
  onTriggerType: 'conformance::on-trigger-type',
} as const;

type Question = keyof typeof GATE_FUNCTIONS;

/** What the stream listener is configured to ask at each connection. */
export const STREAM_AUTH = 'conformance::stream-auth';

/**
 * Decides for the guest listener. At first everybody gets in and may register everything, and the middleware passes calls on to their
 * targets with the rights of this worker.
 */
export class Gate {
  readonly worker: PeerWorker;
  readonly #answers: Record<Question, Handler>;

  private constructor(worker: PeerWorker) {
    this.worker = worker;
    const allow = () => ({});
    this.#answers = { auth: allow, onFunction: allow, onTrigger: allow, onTriggerType: allow, middleware: (data) => passOn(worker, data) };
  }

  static async open(worker: PeerWorker): Promise<Gate> {
    const gate = new Gate(worker);
    const questions = Object.keys(GATE_FUNCTIONS) as Question[];
    for (const question of questions) await worker.serve(GATE_FUNCTIONS[question], (data, frame) => gate.#answers[question](data, frame));
    return gate;
  }

  /** From now on; the handlers of a case that is over are never asked, since its worker has gone. */
  answer(question: Question, handler: Handler): void {
    this.#answers[question] = handler;
  }

  /** Everyone who connects from now on gets this. */
  grant(result: Frame): void {
    this.answer('auth', () => result);
  }
}

async function passOn(worker: PeerWorker, data: unknown): Promise<unknown> {
  const { function_id, payload } = data as { function_id: string; payload: unknown };
  const answer = await worker.call(function_id, payload);
  if (answer.error !== undefined) throw new Failure(answer.error as Frame);
  return answer.result;
}
