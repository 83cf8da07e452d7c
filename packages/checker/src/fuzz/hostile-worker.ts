import type { Random } from '@rivulet/testkit/random';
import { WebSocket } from 'ws';
import { answerTo, HOSTILE_FUNCTIONS } from './hostile-answers.js';
import { strangeValue } from './strange.js';

/** Number of channel addresses that are kept for peers of the channel listener. */
const MOST_CHANNELS = 32;
const HANDSHAKE_MS = 20_000;
/** Token of the innocent client. The auth function always allows it. */
export const INNOCENT_TOKEN = 'innocent';

/** Probability of a valid result, and of one from a function that decides about access. */
const HONESTY = 0.6;
const ADMITTING = 0.9;
const ADMITS = new Set(['fz::auth', 'fz::guest']);

type Frame = Readonly<Record<string, unknown>>;

/**
 * Serves every function that the engine calls on workers: auth functions, hooks, middleware, conditions, routes, backends and join
 * functions. Most of its results are hostile.
 */
export class HostileWorker {
  readonly #url: string;
  readonly #socket: WebSocket;
  #random: Random;
  /** Paths of both ends of the newest channels. */
  readonly channels: string[] = [];
  /** Paths of the reading ends of all channels. */
  readonly #readers: string[] = [];
  /** Number of answers that were sent. */
  answers = 0;

  private constructor(url: string, random: Random) {
    this.#url = url;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.#socket = socket;
    this.#random = random;
    socket.on('message', (data) => this.#read(JSON.parse((data as Buffer).toString()) as Frame));
    socket.on('error', () => {});
  }

  static async connect(url: string, random: Random): Promise<HostileWorker> {
    const worker = new HostileWorker(url, random);
    await new Promise<void>((resolve, reject) => worker.#socket.once('open', resolve).once('error', reject));
    worker.#register();
    await worker.#settled();
    return worker;
  }

  reseed(random: Random): void {
    this.#random = random;
  }

  /** Resolves when the engine has read everything that was sent before. */
  async #settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.once('pong', () => resolve());
      this.#socket.ping();
    });
  }

  /** Creates another channel. Its address arrives with the answer. */
  makeChannel(): void {
    this.#send({ type: 'invokefunction', invocation_id: 'channel', function_id: 'engine::channels::create', data: {} });
  }

  /**
   * Ends its channels, which otherwise live as long as a writer is connected, and then its connection. Resolves when the engine holds no
   * unanswered call and no queued event for this worker.
   */
  async end(): Promise<void> {
    await Promise.all(this.#readers.map((path) => connectedOnce(new URL(path, this.#url).href)));
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.close();
    await closed;
  }

  close(): void {
    this.#socket.terminate();
  }

  #register(): void {
    for (const id of HOSTILE_FUNCTIONS) this.#send({ type: 'registerfunction', id });
    this.#send({ type: 'registertriggertype', id: 'fz-type', description: 'd' });
    const bind = (id: string, triggerType: string, functionId: string, config: object) =>
      this.#send({ type: 'registertrigger', id, trigger_type: triggerType, function_id: functionId, config });
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      bind(`h-a-${method}`, 'http', 'fz::http', { api_path: '/fz/:id', http_method: method });
      bind(`h-c-${method}`, 'http', 'fz::http', { api_path: '/fz/cond', http_method: method, condition_function_id: 'fz::cond' });
      bind(`h-m-${method}`, 'http', 'fz::http', { api_path: '/fz/mw', http_method: method, middleware_function_ids: ['fz::http'] });
    }
    bind('h-join', 'stream:join', 'fz::join', { stream_name: 'fz' });
    bind('h-leave', 'stream:leave', 'fz::fn', { stream_name: 'fz' });
    bind('h-stream', 'stream', 'fz::fn', { stream_name: 'fz', condition_function_id: 'fz::cond' });
    bind('h-state', 'state', 'fz::fn', { condition_function_id: 'fz::cond' });
    bind('h-topic', 'subscribe', 'fz::fn', { topic: 'a' });
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }

  #read(frame: Frame): void {
    if (frame['type'] === 'invokefunction' && typeof frame['invocation_id'] === 'string')
      this.#answer(String(frame['function_id']), frame['invocation_id'], frame['data']);
    else if (frame['type'] === 'invocationresult' && frame['invocation_id'] === 'channel') this.#keepChannel(frame['result']);
    else if (frame['type'] === 'registertrigger' && this.#random.chance(0.5)) {
      this.answers++;
      const { id, trigger_type, function_id } = frame;
      this.#send({ type: 'triggerregistrationresult', id, trigger_type, function_id, error: strangeValue(this.#random) });
    }
  }

  #answer(functionId: string, invocationId: string, data: unknown): void {
    const innocent = functionId === 'fz::auth' && JSON.stringify(data).includes(INNOCENT_TOKEN);
    const text = innocent
      ? JSON.stringify({ type: 'invocationresult', invocation_id: invocationId, function_id: functionId, result: { context: null } })
      : answerTo(functionId, invocationId, this.#random, ADMITS.has(functionId) ? ADMITTING : HONESTY);
    if (text === undefined) return;
    this.answers++;
    this.#socket.send(text);
    // A second answer to the same call has no effect.
    if (!innocent && this.#random.chance(0.02)) this.#socket.send(text);
  }

  #keepChannel(result: unknown): void {
    const { writer, reader } = (result ?? {}) as Readonly<Record<string, { channel_id: string; access_key: string } | undefined>>;
    if (writer === undefined || reader === undefined) return;
    const readerPath = `/ws/channels/${reader.channel_id}?key=${reader.access_key}&dir=read`;
    this.#readers.push(readerPath);
    this.channels.push(`/ws/channels/${writer.channel_id}?key=${writer.access_key}&dir=write`, readerPath);
    this.channels.splice(0, this.channels.length - MOST_CHANNELS);
  }
}

/** Opens a connection and closes it. Resolves when it has ended or was refused. */
async function connectedOnce(url: string): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_MS });
  socket.on('open', () => socket.terminate()).on('error', () => {});
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}
