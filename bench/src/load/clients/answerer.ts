import { type FrameReader, RawSocket } from './raw-socket.js';

export type CallDialectName = 'rivulet-calls' | 'socket.io-calls';

/** Answers calls at one kind of server. */
interface CallDialect {
  /** Called for each text until it returns true, which means that the worker can be called. */
  ready(socket: RawSocket, text: string): boolean;
  /** Returns the answer to a text; `undefined` for none. */
  answer(text: string): string | undefined;
}

const INVOCATION = /"invocation_id":"([^"]+)","function_id":"([^"]+)"/;
const HTTP_PATH = '/bench';

const rivulet: CallDialect = {
  ready(socket, text) {
    if (text.includes('"workerregistered"')) {
      const trigger = { type: 'registertrigger', id: 'bench-http', trigger_type: 'http', function_id: 'bench::http' };
      socket.send(JSON.stringify({ type: 'registerfunction', id: 'bench::call' }));
      socket.send(JSON.stringify({ type: 'registerfunction', id: 'bench::http' }));
      socket.send(JSON.stringify({ ...trigger, config: { api_path: HTTP_PATH, http_method: 'GET' } }));
      socket.send(JSON.stringify({ type: 'invokefunction', invocation_id: 'ready', function_id: 'engine::health::check', data: {} }));
    }
    return text.includes('"invocation_id":"ready"');
  },
  answer(text) {
    const [, id, functionId] = INVOCATION.exec(text) ?? [];
    if (id === undefined) return undefined;
    const result = functionId === 'bench::http' ? '{"status_code":200,"body":{"ok":true}}' : '{"ok":true}';
    return `{"type":"invocationresult","invocation_id":"${id}","function_id":"${functionId}","result":${result}}`;
  },
};

const socketIo: CallDialect = {
  ready(socket, text) {
    if (text.startsWith('0{')) socket.send('40');
    if (text.startsWith('40')) socket.send('420["serve"]');
    return text.startsWith('430');
  },
  answer(text) {
    if (text === '2') return '3';
    const id = /^42(\d+)\["call"/.exec(text)?.[1];
    return id === undefined ? undefined : `43${id}[{"ok":true}]`;
  },
};

const DIALECTS: Readonly<Record<CallDialectName, CallDialect>> = { 'rivulet-calls': rivulet, 'socket.io-calls': socketIo };

/** A worker on a raw socket that answers every call at once. All answers to one read leave in one write. */
export class Answerer implements FrameReader {
  readonly #dialect: CallDialect;
  readonly #ready: () => void;
  readonly #early: string[] = [];
  #socket: RawSocket | undefined;
  #isReady = false;
  #answers: string[] = [];

  private constructor(dialect: CallDialect, ready: () => void) {
    this.#dialect = dialect;
    this.#ready = ready;
  }

  /** Resolves when other workers can call it. */
  static async open(dialect: CallDialectName, url: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const answerer = new Answerer(DIALECTS[dialect], resolve);
      RawSocket.open(url, answerer).then((socket) => answerer.#begin(socket), reject);
    });
  }

  wantsPayload(): boolean {
    return true;
  }

  frame(payload: Buffer | undefined): void {
    const text = payload?.toString() ?? '';
    if (this.#socket === undefined) this.#early.push(text);
    else this.#take(this.#socket, text);
  }

  #begin(socket: RawSocket): void {
    this.#socket = socket;
    for (const text of this.#early.splice(0)) this.#take(socket, text);
  }

  #take(socket: RawSocket, text: string): void {
    if (!this.#isReady) {
      this.#isReady = this.#dialect.ready(socket, text);
      if (this.#isReady) this.#ready();
      return;
    }
    const answer = this.#dialect.answer(text);
    if (answer === undefined) return;
    this.#answers.push(answer);
    if (this.#answers.length > 1) return;
    queueMicrotask(() => {
      const answers = this.#answers;
      this.#answers = [];
      socket.together(() => {
        for (const each of answers) socket.send(each);
      });
    });
  }
}
