import { randomUUID } from 'node:crypto';
import { createClient, RESP_TYPES } from '@redis/client';
import type { Logger } from '../logging/logger.js';
import { redisError, unavailable } from './redis-error.js';

/** One value of an answer: bytes are always bytes. */
export type RedisReply = Buffer | number | null | boolean | readonly RedisReply[];

export interface RedisScript {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

/** Sentinels that know which server is the primary. */
export interface Sentinels {
  /** Each as `host:port`. */
  readonly nodes: readonly string[];
  /** By which they know it. */
  readonly name: string;
}

export interface RedisOptions {
  /** With sentinels it says everything but host and port. */
  readonly url: string;
  readonly sentinels: Sentinels | undefined;
  readonly connectTimeoutMs: number;
  /** After which a command has failed, in milliseconds. */
  readonly commandTimeoutMs: number;
  readonly scripts: readonly RedisScript[];
  /** Channel of this process alone, by which it notices that nothing arrives any more. */
  readonly canary: string;
  readonly logger: Logger;
  /** Commands are taken again, and what is subscribed to arrives, from now on: what was published meanwhile is lost. */
  readonly onUp: () => void;
  readonly onDown: (error: Error) => void;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
const CANARY_MS = 1_000;
/** A command fails that much after its time at most. */
const WATCH_MS = 100;
/** Nonces in a row that did not come back. */
const MOST_MISSED = 3;
/** Commands that are not answered yet. */
const MOST_COMMANDS = 65_536;

const BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } as const;

interface Server {
  readonly commands: Client;
  readonly messages: Client;
  /** Names the run of the server: another one may have lost something. */
  readonly run: string;
  /** Whether what it acknowledged survives its end. */
  readonly durable: boolean;
  missed: number;
}

type Client = ReturnType<typeof makeClient>;

/**
 * The way to one Redis: a connection for commands and one for what is published. It is up only when both are; while it is down everything
 * fails at once, and nothing is queued. It comes back by itself.
 */
export class Redis {
  readonly #options: RedisOptions;
  readonly #channels = new Map<string, (message: Buffer) => void>();
  readonly #patterns = new Map<string, (message: Buffer, channel: Buffer) => void>();
  #server: Server | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;
  /** When each command that is not answered was sent, in monotonic milliseconds; the oldest first. */
  readonly #sent = new Map<object, number>();
  #why = 'it was never there';
  #retry: NodeJS.Timeout | undefined;
  readonly #canary: NodeJS.Timeout;
  readonly #watch: NodeJS.Timeout;

  private constructor(options: RedisOptions) {
    this.#options = options;
    this.#canary = setInterval(() => this.#sing(), CANARY_MS);
    this.#canary.unref();
    this.#watch = setInterval(() => this.#lookAtOldest(), WATCH_MS);
    this.#watch.unref();
  }

  /** Rejects with STORE_UNAVAILABLE when it can't be reached now. */
  static async connect(options: RedisOptions): Promise<Redis> {
    const redis = new Redis(options);
    try {
      await redis.#connect();
    } catch (error) {
      await redis.close();
      throw redisError(error);
    }
    return redis;
  }

  get up(): boolean {
    return this.#server !== undefined;
  }

  /** Of the server as it is now. Throws STORE_UNAVAILABLE. */
  get server(): { readonly run: string; readonly durable: boolean } {
    return this.#there();
  }

  /** Runs a script. `rest` gets the run of the server, which the script asks for first, and answers the other arguments. */
  async run(script: RedisScript, keys: readonly string[], args: (run: string) => readonly (string | Buffer)[]): Promise<RedisReply> {
    const server = this.#there();
    const words = [script.sha, String(keys.length), ...keys, ...args(server.run)];
    try {
      return await this.#ask(server, ['EVALSHA', ...words]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw redisError(error);
      // It was flushed: nothing was carried out.
      await this.#ask(server, ['SCRIPT', 'LOAD', script.text]);
      return this.#ask(server, ['EVALSHA', ...words]).catch((failure: unknown) => {
        throw redisError(failure);
      });
    }
  }

  async command(words: readonly string[]): Promise<RedisReply> {
    try {
      return await this.#ask(this.#there(), words);
    } catch (error) {
      throw redisError(error);
    }
  }

  /** Resolves when every later message of the channel arrives, as long as it is up. */
  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    this.#channels.set(channel, listener);
    try {
      await this.#within(this.#there().messages.subscribe(channel, listener, true));
    } catch (error) {
      throw redisError(error);
    }
  }

  /** Messages of all channels that match, as long as it is up; nothing waits for that. */
  follow(pattern: string, listener: (message: Buffer, channel: Buffer) => void): void {
    this.#patterns.set(pattern, listener);
    // While it is down this is made up for when it comes back.
    this.#server?.messages.pSubscribe(pattern, listener, true).catch(() => {});
  }

  unfollow(pattern: string): void {
    this.#patterns.delete(pattern);
    this.#server?.messages.pUnsubscribe(pattern).catch(() => {});
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    // What is subscribed to when it comes back is decided then.
    this.#server?.messages.unsubscribe(channel).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#canary);
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    const server = this.#server;
    this.#server = undefined;
    this.#why = 'it is closed';
    if (server === undefined) return;
    server.commands.destroy();
    server.messages.destroy();
    await Promise.resolve();
  }

  #there(): Server {
    if (this.#server === undefined) throw unavailable(this.#why);
    return this.#server;
  }

  async #ask(server: Server, words: readonly (string | Buffer)[]): Promise<RedisReply> {
    if (this.#sent.size >= MOST_COMMANDS) throw unavailable(`${MOST_COMMANDS} commands wait for their answer`);
    const command = {};
    this.#sent.set(command, performance.now());
    try {
      return (await server.commands.sendCommand(words as (string | Buffer)[], BYTES)) as RedisReply;
    } catch (error) {
      // Another server has become the primary.
      if (error instanceof Error && error.message.startsWith('READONLY')) this.#lost(server, 'it has become a replica');
      if (this.#server !== server) throw unavailable(this.#why);
      throw error;
    } finally {
      this.#sent.delete(command);
    }
  }

  /** Answers come in order: when the oldest command has none, nor has any other. One timer for all, since there are many. */
  #lookAtOldest(): void {
    const server = this.#server;
    const [oldest] = this.#sent.values();
    const { commandTimeoutMs } = this.#options;
    if (server !== undefined && oldest !== undefined && performance.now() - oldest > commandTimeoutMs)
      this.#lost(server, `no answer within ${commandTimeoutMs} ms`);
  }

  async #within<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(TIMED_OUT), this.#options.commandTimeoutMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<void> {
    const { connectTimeoutMs, scripts, canary } = this.#options;
    const url = await this.#primary();
    const commands = makeClient(url, connectTimeoutMs);
    const messages = makeClient(url, connectTimeoutMs);
    const both = [commands, messages];
    let server: Server | undefined;
    for (const client of both) client.on('error', (error: Error) => this.#lost(server, error.message));
    for (const client of both) client.on('end', () => this.#lost(server, 'the connection has ended'));
    try {
      await this.#within(Promise.all(both.map((client) => client.connect())));
      const info = await this.#within(commands.sendCommand(['INFO', 'server']));
      const run = /run_id:(\w+)/.exec(JSON.stringify(info))?.[1] ?? randomUUID();
      await this.#within(Promise.all(scripts.map(({ text }) => commands.sendCommand(['SCRIPT', 'LOAD', text]))));
      const role = JSON.stringify(await this.#within(commands.sendCommand(['ROLE'])));
      if (!role.includes('"master"')) throw new Error('it is a replica; give the address of the primary, or sentinels that know it');
      const settings = await this.#within(settingsOf(commands));
      requireKeeping(settings);
      const durable = settings.get('appendonly') === 'yes' && settings.get('appendfsync') === 'always';
      server = { commands, messages, run, durable, missed: 0 };
      const current = server;
      await this.#within(messages.subscribe(canary, () => (current.missed = 0), true));
      const again = [
        ...Array.from(this.#channels, ([channel, listener]) => messages.subscribe(channel, listener, true)),
        ...Array.from(this.#patterns, ([pattern, listener]) => messages.pSubscribe(pattern, listener, true)),
      ];
      await this.#within(Promise.all(again));
    } catch (error) {
      for (const client of both) client.destroy();
      throw error === TIMED_OUT ? new Error(`no answer within ${this.#options.commandTimeoutMs} ms`) : error;
    }
    // It may have gone while the rest was asked.
    if (!both.every((client) => client.isReady)) throw new Error('the connection has ended');
    this.#retryMs = FIRST_RETRY_MS;
    this.#server = server;
  }

  /** Where the primary is now: the first sentinel that answers says it. */
  async #primary(): Promise<string> {
    const { url, sentinels, connectTimeoutMs } = this.#options;
    if (sentinels === undefined) return url;
    let why = 'there are none';
    for (const node of sentinels.nodes) {
      const client = makeClient(`redis://${node}`, connectTimeoutMs);
      client.on('error', () => {});
      try {
        await this.#within(client.connect());
        const found: unknown = await this.#within(client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinels.name]));
        if (!Array.isArray(found)) throw new Error(`it knows no primary "${sentinels.name}"`);
        return atHost(url, found.map(String));
      } catch (error) {
        why = `${node}: ${error instanceof Error ? error.message : String(error)}`;
      } finally {
        client.destroy();
      }
    }
    throw new Error(`no sentinel says where the primary is (${why})`);
  }

  #lost(server: Server | undefined, why: string): void {
    if (server === undefined || server !== this.#server) return;
    this.#server = undefined;
    this.#why = why;
    server.commands.destroy();
    server.messages.destroy();
    if (this.#closed) return;
    this.#options.logger.warn('redis_lost', { reason: why, consequence: 'writes and reads are refused until it is back' });
    this.#options.onDown(unavailable(why));
    this.#again();
  }

  #again(): void {
    this.#retry = setTimeout(() => {
      this.#connect().then(
        () => {
          if (this.#closed) return void this.close();
          this.#options.logger.info('redis_back');
          this.#options.onUp();
        },
        (error: unknown) => {
          this.#why = error instanceof Error ? error.message : String(error);
          if (!this.#closed) this.#again();
        },
      );
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  /** A connection that is subscribed and gets nothing looks like a quiet one: so something is published to it. */
  #sing(): void {
    const server = this.#server;
    if (server === undefined) return;
    if (server.missed++ >= MOST_MISSED) {
      this.#lost(server, 'what is published does not arrive');
      return;
    }
    this.#ask(server, ['PUBLISH', this.#options.canary, '']).catch(() => {});
  }
}

const TIMED_OUT = new Error('no answer in time');

function atHost(url: string, [host = '', port = '']: readonly string[]): string {
  const at = new URL(url);
  at.hostname = host.includes(':') ? `[${host}]` : host;
  at.port = port;
  return at.href;
}

function makeClient(url: string, connectTimeout: number) {
  return createClient({
    url,
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 },
    socket: { connectTimeout, reconnectStrategy: false },
  });
}

/** Of some servers nobody may ask for them: then the worst is believed of what it keeps, and the best of what it throws away. */
async function settingsOf(client: Client): Promise<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const pattern of ['append*', 'maxmemory*']) {
    const reply = await client.sendCommand(['CONFIG', 'GET', pattern]).catch(() => ({}));
    for (const [, name = '', value = ''] of JSON.stringify(reply).matchAll(/"([\w-]+)"[,:]"([^"]*)"/g)) settings.set(name, value);
  }
  return settings;
}

/** An item that goes without a word is a write that was lost. */
function requireKeeping(settings: ReadonlyMap<string, string>): void {
  const policy = settings.get('maxmemory-policy') ?? 'noeviction';
  if ((settings.get('maxmemory') ?? '0') === '0' || policy === 'noeviction') return;
  throw new Error(`its maxmemory-policy is ${policy}, which throws items away; set it to noeviction`);
}
