import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '@rivulet/protocol';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { Logger } from '../logging/logger.js';
import type { Connection, ConnectionOwner } from './connection.js';
import type { Liveness } from './liveness.js';
import { WebSocketConnection } from './web-socket-connection.js';

export interface HandshakesOptions {
  /** Name of the listener in debug lines. */
  readonly name: string;
  readonly maxMessageBytes: number;
  readonly liveness: Liveness;
  readonly logger: Logger;
}

/** An upgrade request that the listener accepts. */
export interface AcceptedUpgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Bytes that came with the request. */
  readonly head: Buffer;
  /** Address of the client, as a trusted proxy names it, or of the peer of the socket. */
  readonly remoteAddress: string;
  /** Sub-protocol that the answer names. */
  readonly protocol: string | undefined;
  /** See `Verdict.bulk`. @default false */
  readonly bulk?: boolean | undefined;
  readonly open: (connection: Connection) => ConnectionOwner;
}

const CLOSE_TIMEOUT_MS = 5_000;
/** A slow reader answers the close frame after it has read everything before it. The engine must keep the connection until then. */
const BULK_CLOSE_TIMEOUT_MS = 300_000;

/** Completes the WebSocket handshakes of one listener. `ws` refuses a request that is no correct upgrade with 400. */
export class Handshakes {
  readonly #options: HandshakesOptions;
  readonly #handshaker: WebSocketServer;
  readonly #bulkHandshaker: WebSocketServer;
  #protocol: string | undefined;

  constructor(options: HandshakesOptions) {
    this.#options = options;
    this.#handshaker = this.#create(options.maxMessageBytes, CLOSE_TIMEOUT_MS);
    this.#bulkHandshaker = this.#create(LIMITS.channelMessageBytes, BULK_CLOSE_TIMEOUT_MS);
  }

  /** Answers the upgrade with 101 and connects the session that `open` returns. */
  complete({ request, socket, head, protocol, bulk = false, remoteAddress, open }: AcceptedUpgrade): void {
    const { liveness, logger } = this.#options;
    // `ws` calls `handleProtocols` synchronously inside `handleUpgrade`, so one field serves all upgrades.
    this.#protocol = protocol;
    const handshaker = bulk ? this.#bulkHandshaker : this.#handshaker;
    handshaker.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = webSocket as WebSocketConnection;
      connection.begin(socket, { liveness, logger, mayRest: bulk, remoteAddress });
      const owner = open(connection);
      connection.own(owner);
      if (logger.isDebug === true) this.#logConnection(connection, owner.sessionId);
    });
  }

  #create(maxPayload: number, closeTimeout: number): WebSocketServer {
    return new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload,
      maxFragments: LIMITS.fragments,
      maxBufferedChunks: LIMITS.bufferedChunks,
      // With `autoPong`, `ws` would close a peer whose pings arrive in one bunch, for instance after a pause of its network.
      autoPong: false,
      closeTimeout,
      WebSocket: WebSocketConnection,
      handleProtocols: () => this.#protocol ?? false,
    } as ServerOptions<typeof WebSocketConnection>);
  }

  #logConnection(connection: WebSocketConnection, session: string | undefined): void {
    const { logger, name } = this.#options;
    const fields = { listener: name, session, address: connection.remoteAddress };
    logger.debug('connection_opened', fields);
    connection.once('close', (code: number) => logger.debug('connection_closed', { ...fields, code }));
  }
}
