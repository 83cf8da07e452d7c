import type { KeepAlive, OpenSocket } from '@rivulet/client/connection';
import type { StreamChannelRef } from '../api/types.js';

/** The services of the runtime that the SDK needs. */
export interface Platform<TReader, TWriter> {
  readonly runtime: 'node' | 'browser';
  /** The operating system, as the worker announces it. */
  readonly os: string;
  readonly pid: number | undefined;
  readonly defaultName: () => string;
  readonly openSocket: (headers: Readonly<Record<string, string>>) => OpenSocket;
  /** Wraps sockets for the option `debug`. @default the option has no effect */
  readonly narrated?: (open: OpenSocket) => OpenSocket;
  readonly keepAlive: KeepAlive | undefined;
  readonly openReader: (engineUrl: string, ref: StreamChannelRef) => TReader;
  readonly openWriter: (engineUrl: string, ref: StreamChannelRef) => TWriter;
}
