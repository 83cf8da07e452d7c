import { setTimeout as pause } from 'node:timers/promises';
import { field, isJsonObject, stringField } from '@rivulet/protocol';
import type { AdminApi } from '../admin/admin-api.js';

const PAGE_ROWS = 1_000;
/** Pages of one list at most. No engine has descriptors for more sessions. */
const MOST_PAGES = 2_000;
/** Lists after the close of a connection, until the engine must have ended its session. */
const MOST_LISTS = 40;
const BETWEEN_LISTS_MS = 50;

/** A session as the engine sees it. */
export interface SeenSession {
  readonly id: string;
  /** The address that the engine uses for the client. */
  readonly address: string;
  /** The address of the other end of the connection. */
  readonly peer: string;
}

interface SessionPage {
  /** The cursor behind which the page begins. */
  readonly after: string | undefined;
  readonly sessions: readonly SeenSession[];
}

/** Returns the first sessions of an engine. Throws a `CommandFailure`. */
export async function firstSessions(api: AdminApi): Promise<readonly SeenSession[]> {
  for await (const { sessions } of pagesOf(api, undefined)) return sessions;
  return [];
}

/** Finds the sessions that the doctor opens among all sessions of an engine. Its methods throw a `CommandFailure`. */
export class SessionFinder {
  readonly #api: AdminApi;
  /** Ids of the sessions on the last page before the doctor opened its own. */
  #known: ReadonlySet<string> = new Set();
  /** The cursor of that page. Later sessions follow it, because the list is in the order of the connections. */
  #after: string | undefined;

  constructor(api: AdminApi) {
    this.#api = api;
  }

  /** Reads which sessions are open, before the doctor opens its own. */
  async begin(): Promise<void> {
    for await (const { after, sessions } of pagesOf(this.#api, this.#after)) {
      this.#after = after;
      this.#known = new Set(sessions.map(({ id }) => id));
    }
  }

  /**
   * Returns the sessions that came after `begin` and ended after `close`, which closes the connection of the doctor. There is one if that
   * connection leads to this engine, and no other client came and left at the same time.
   */
  async identify(close: () => void): Promise<readonly SeenSession[]> {
    const opened = (await this.#later()).filter(({ id }) => !this.#known.has(id));
    close();
    for (let lists = 0; opened.length > 0 && lists < MOST_LISTS; lists++) {
      const open = new Set((await this.#later()).map(({ id }) => id));
      const ended = opened.filter(({ id }) => !open.has(id));
      if (ended.length > 0) return ended;
      await pause(BETWEEN_LISTS_MS);
    }
    return [];
  }

  async #later(): Promise<readonly SeenSession[]> {
    const all: SeenSession[] = [];
    for await (const { sessions } of pagesOf(this.#api, this.#after)) all.push(...sessions);
    return all;
  }
}

async function* pagesOf(api: AdminApi, from: string | undefined): AsyncGenerator<SessionPage> {
  let after = from;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await api.get('sessions', { limit: PAGE_ROWS, after });
    const rows = field(page, 'rows');
    yield { after, sessions: (Array.isArray(rows) ? rows.filter(isJsonObject) : []).map(sessionOf) };
    after = stringField(page, 'next');
    if (after === undefined) return;
  }
}

function sessionOf(row: Parameters<typeof stringField>[0]): SeenSession {
  const address = stringField(row, 'address') ?? '';
  return { id: stringField(row, 'session_id') ?? '', address, peer: stringField(row, 'peer') ?? address };
}
