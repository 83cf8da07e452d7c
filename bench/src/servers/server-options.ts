/** What a scenario asks of the server that it starts. */
export interface ServerOptions {
  /** Makes Rivulet durable in it; without one it keeps streams in memory. */
  readonly directory?: string;
  /** Address of the Redis over which it shares its streams with other servers. */
  readonly redis?: string;
  /** Socket.IO: how it reaches the others over the Redis. */
  readonly adapter?: 'pub/sub' | 'streams';
  /** Where it listens, so that another one can take its place. Default: where there is room. */
  readonly ports?: ServerPorts;
  /** Answers `loop-delay` with what its event loop was late by; see `watchLoop`. Default false: watching is a timer of its own. */
  readonly watchesLoop?: boolean;
  /** Socket.IO: keeps what those miss who are away for at most two minutes. Default false. */
  readonly recovers?: boolean;
}

/** Socket.IO listens on the second one only. */
export interface ServerPorts {
  readonly worker: number;
  readonly stream: number;
}

/** In a server: what the command line asks for. */
export function serverOptions(): ServerOptions {
  return JSON.parse(process.argv[2] ?? '{}') as ServerOptions;
}
