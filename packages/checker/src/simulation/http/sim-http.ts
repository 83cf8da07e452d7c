import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  AuthGate,
  buildReading,
  type FunctionFabric,
  type HttpReading,
  type ReadingDeps,
  SessionDirectory,
  type UpgradeRequest,
} from '@rivulet/engine/parts';
import { field, isJsonObject, stringField } from '@rivulet/protocol';
import { failRound } from '../fail-round.js';
import type { Faults } from '../faults.js';
import type { SimConnection } from '../sim-connection.js';
import { SimSocket } from './sim-socket.js';

export interface SimHttpOptions extends Omit<ReadingDeps, 'auth' | 'directory' | 'refuseMs'> {
  readonly fabric: FunctionFabric;
  readonly faults: Faults;
}

/** Name of the auth function. It takes the token of a request for the identity of its user. */
const AUTH = 'sim::auth';

/** Reads by plain HTTP of a simulated engine: the HTTP server of Node without a port, and the engine's reading room behind it. */
export class SimHttp {
  readonly #server: Server = createServer();
  readonly #reading: HttpReading;
  readonly #directory: SessionDirectory;
  readonly #faults: Faults;
  readonly #sockets = new Set<SimSocket>();

  constructor(options: SimHttpOptions) {
    const { fabric, faults, context, clock } = options;
    const config = { ...options.config, authFunction: AUTH };
    this.#faults = faults;
    fabric.registerBuiltin(AUTH, (call) => ({ kind: 'result', text: identify(call.payload.value) }), 'Names the user of a request.');
    this.#directory = new SessionDirectory();
    this.#reading = buildReading({
      ...options,
      config,
      auth: new AuthGate(fabric, config, clock, context.logger),
      context: { ...context, directory: this.#directory },
      directory: this.#directory,
      refuseMs: undefined,
    });
    this.#server.on('request', (request, response) => {
      const about = describe(request);
      const isRead = this.#reading.handle({ request, response, about, isHostAllowed: true, stopping: false, takeConnection: () => true });
      if (!isRead) failRound(new Error(`a request that is no read: ${request.url}`));
    });
    this.#server.on('clientError', failRound);
  }

  /** Number of event streams that are open. */
  get streams(): number {
    return this.#reading.eventStreams;
  }

  accept(connection: SimConnection): void {
    const socket = new SimSocket(connection, this.#faults.httpBytes());
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    this.#server.emit('connection', socket);
  }

  /** Ends the reads of an identity, as an operator does. */
  disconnect(who: string): void {
    this.#directory.disconnect(who);
  }

  /** Drops everything, because the engine was killed. */
  kill(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#reading.stop().catch(failRound);
  }
}

function identify(input: unknown): string {
  const headers = isJsonObject(input) ? field(input, 'headers') : undefined;
  const who = isJsonObject(headers) ? (stringField(headers, 'authorization') ?? '').replace('Bearer ', '') : '';
  return JSON.stringify({ identity: who, context: { who } });
}

function describe({ url = '/', headers }: IncomingMessage): UpgradeRequest {
  const [path = '/', rawQuery = ''] = url.split('?', 2);
  return {
    path,
    rawQuery,
    headers,
    protocols: [],
    remoteAddress: '10.0.0.1',
    remotePort: 1,
    addressGroup: '10.0.0.1',
    scheme: undefined,
  };
}
