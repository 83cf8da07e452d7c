import { type ConnectOptions, connect, type StreamClient } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { type People, type Person, tokenOf } from '../shared/people.js';
import type { Functions, Streams } from '../shared/tasks.js';

export type Client = StreamClient<Streams & People, Functions>;

/** Connects as a person. A page has one client, which connects again by itself. */
export function connectAs(person: Person, url: string, options: ConnectOptions = {}): Client {
  return connect<Streams & People, Functions>(url, { token: tokenOf(person), optimistic, ...options });
}
