import type { KeepAlive, OpenSocket } from '@rivulet/client/connection';
import type { StreamChannelRef } from '../api/types.js';

/** What the SDK needs of the runtime that it is in. */
export interface Platform<TReader, TWriter> {
  readonly runtime: 'node' | 'browser';
  /** Operating system, as it is announced. */
  readonly os: string;
  readonly pid: number | undefined;
  readonly defaultName: () => string;
  readonly openSocket: (headers: Readonly<Record<string, string>>) => OpenSocket;
  readonly keepAlive: KeepAlive | undefined;
  readonly openReader: (engineUrl: string, ref: StreamChannelRef) => TReader;
  readonly openWriter: (engineUrl: string, ref: StreamChannelRef) => TWriter;
}
