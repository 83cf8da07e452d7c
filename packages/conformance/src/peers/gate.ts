import { Failure, type Frame, type Handler, type PeerWorker } from './peer-worker.js';

/** The functions that the guest worker listener is configured to call, by their purpose. */
const GATE_FUNCTIONS = {
  auth: 'conformance::auth',
  middleware: 'conformance::middleware',
  onFunction: 'conformance::on-function',
  onTrigger: 'conformance::on-trigger',
  onTriggerType: 'conformance::on-trigger-type',
} as const;

type GateQuestion = keyof typeof GATE_FUNCTIONS;

/** The function that the stream listener is configured to call for each connection. */
export const STREAM_AUTH = 'conformance::stream-auth';

/**
 * Serves the functions of the guest listener. By default it admits every guest and allows every registration, and its middleware calls the
 * target with the permissions of this worker.
 */
export class Gate {
  readonly worker: PeerWorker;
  readonly #answers: Record<GateQuestion, Handler>;

  private constructor(worker: PeerWorker) {
    this.worker = worker;
    const allow = () => ({});
    this.#answers = { auth: allow, onFunction: allow, onTrigger: allow, onTriggerType: allow, middleware: (data) => passOn(worker, data) };
  }

  static async open(worker: PeerWorker): Promise<Gate> {
    const gate = new Gate(worker);
    const questions = Object.keys(GATE_FUNCTIONS) as GateQuestion[];
    for (const question of questions) await worker.serve(GATE_FUNCTIONS[question], (data, frame) => gate.#answers[question](data, frame));
    return gate;
  }

  /** Answers this question with the handler from now on. The worker ends with its case, so a later case never meets this handler. */
  answer(question: GateQuestion, handler: Handler): void {
    this.#answers[question] = handler;
  }

  /** Gives this auth result to every guest that connects from now on. */
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
