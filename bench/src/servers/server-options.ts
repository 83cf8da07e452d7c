/** Options of the server that a scenario starts. */
export interface ServerOptions {
  /** Folder in which Rivulet stores its streams. Without it, Rivulet keeps streams in memory. */
  readonly directory?: string;
  /** Address of the Redis that it shares with other servers. */
  readonly redis?: string;
  /** Socket.IO: its adapter for the Redis. */
  readonly adapter?: 'pub/sub' | 'streams';
  /** Ports of the server, so that another one can take its place. @default free ports */
  readonly ports?: ServerPorts;
  /**
   * Whether the server measures the delay of its event loop and answers `loop-delay` (see `watchLoop`). It costs a timer. @default false
   */
  readonly watchesLoop?: boolean;
  /** Socket.IO: whether it keeps missed messages for clients that are disconnected for at most two minutes. @default false */
  readonly recovers?: boolean;
}

/** Ports for writers and subscribers. Socket.IO uses only the second one. */
export interface ServerPorts {
  readonly worker: number;
  readonly stream: number;
}

/** Returns the options of this server process, from its command line. */
export function serverOptions(): ServerOptions {
  return JSON.parse(process.argv[2] ?? '{}') as ServerOptions;
}
