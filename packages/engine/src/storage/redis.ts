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

/** Of the names of subscriptions. */
const CHANNEL = 'c ';
const PATTERN = 'p ';

const BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } as const;

interface Server {
  readonly commands: Client;
  readonly messages: Client;
  /** Names the run of the server: another one may have lost something. */
  readonly run: string;
  /** Whether what it acknowledged survives its end. */
  readonly durable: boolean;
  missed: number;
  /** What is subscribed to, and what of that is about to change. */
  readonly made: Map<string, Listener>;
  readonly settling: Map<string, Promise<void>>;
}

type Listener = (message: Buffer, channel: Buffer) => void;

type Client = ReturnType<typeof makeClient>;

/**
 * The way to one Redis: a connection for commands and one for what is published. It is up only when both are; while it is down everything
 * fails at once, and nothing is queued. It comes back by itself.
 */
export class Redis {
  readonly #options: RedisOptions;
  /** What shall arrive, channels and patterns. */
  readonly #wanted = new Map<string, Listener>();
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
    this.#wanted.set(CHANNEL + channel, listener);
    try {
      await this.#within(this.#settle(this.#there(), CHANNEL + channel));
    } catch (error) {
      throw redisError(error);
    }
  }

  unsubscribe(channel: string): void {
    this.#drop(CHANNEL + channel);
  }

  /** Messages of all channels that match, as long as it is up; nothing waits for that. */
  follow(pattern: string, listener: Listener): void {
    this.#wanted.set(PATTERN + pattern, listener);
    // While it is down this is made up for when it comes back.
    if (this.#server !== undefined) this.#settle(this.#server, PATTERN + pattern).catch(() => {});
  }

  unfollow(pattern: string): void {
    this.#drop(PATTERN + pattern);
  }

  #drop(name: string): void {
    this.#wanted.delete(name);
    if (this.#server !== undefined) this.#settle(this.#server, name).catch(() => {});
  }

  /** One step after the other for each name: the client forgets a subscription that is made while its end is on the way. */
  #settle(server: Server, name: string): Promise<void> {
    const settled = (server.settling.get(name) ?? Promise.resolve()).catch(() => {}).then(() => this.#bring(server, name));
    server.settling.set(name, settled);
    const end = () => {
      if (server.settling.get(name) === settled) server.settling.delete(name);
    };
    settled.then(end, end);
    return settled;
  }

  async #bring({ messages, made }: Server, name: string): Promise<void> {
    const [have, want] = [made.get(name), this.#wanted.get(name)];
    if (have === want) return;
    const [kind, what] = [name.slice(0, CHANNEL.length), name.slice(CHANNEL.length)];
    if (have !== undefined) {
      await (kind === CHANNEL ? messages.unsubscribe(what) : messages.pUnsubscribe(what));
      made.delete(name);
    }
    if (want === undefined) return;
    await (kind === CHANNEL ? messages.subscribe(what, want, true) : messages.pSubscribe(what, want, true));
    made.set(name, want);
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
    const { commandTimeoutMs } = this.#options;
    const late = () => {
      const [oldest] = this.#sent.values();
      return oldest !== undefined && performance.now() - oldest > commandTimeoutMs;
    };
    if (server === undefined || !late()) return;
    // After a stall of this process the answer may lie unread in the socket.
    setImmediate(() => {
      if (late()) this.#lost(server, `no answer within ${commandTimeoutMs} ms`);
    });
  }

  #within<T>(answer: Promise<T>): Promise<T> {
    return inTime(answer, this.#options.commandTimeoutMs);
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
      await inTime(Promise.all(both.map((client) => client.connect())), connectTimeoutMs);
      const role = JSON.stringify(await this.#within(commands.sendCommand(['ROLE'])));
      if (!role.includes('"master"')) throw new Error('it is a replica; give the address of the primary, or sentinels that know it');
      const history = await this.#within(historyOf(commands));
      await this.#within(Promise.all(scripts.map(({ text }) => commands.sendCommand(['SCRIPT', 'LOAD', text]))));
      const settings = await this.#within(settingsOf(commands));
      requireKeeping(settings);
      const written = settings.get('appendonly') === 'yes' && settings.get('appendfsync') === 'always';
      // What another server acknowledged before this one took its place may not have come here.
      const durable = written && !history.promoted && this.#options.sentinels === undefined;
      const made = { commands, messages, run: history.run, durable, missed: 0, made: new Map(), settling: new Map() };
      server = made;
      await this.#within(messages.subscribe(canary, () => (made.missed = 0), true));
      // More may be wanted, or less, while that is on the way.
      for (let names = this.#unlike(made); names.length > 0; names = this.#unlike(made))
        await this.#within(Promise.all(names.map((name) => this.#bring(made, name))));
      // It may have gone while the rest was asked.
      if (!both.every((client) => client.isReady)) throw new Error('the connection has ended');
    } catch (error) {
      for (const client of both) client.destroy();
      throw error === TIMED_OUT ? new Error('no answer in time') : error;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#server = server;
  }

  #unlike({ made }: Server): string[] {
    return [...new Set([...this.#wanted.keys(), ...made.keys()])].filter((name) => made.get(name) !== this.#wanted.get(name));
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
/** Of a server that never took the place of another. */
const NEVER_PROMOTED = /master_replid2:0{40}\b/;

async function inTime<T>(answer: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(TIMED_OUT), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Names what the server has: another run of it, or one that was a replica meanwhile, may have less. */
async function historyOf(client: Client): Promise<{ readonly run: string; readonly promoted: boolean }> {
  const [server, replication] = await Promise.all(
    ['server', 'replication'].map(async (section) => JSON.stringify(await client.sendCommand(['INFO', section]))),
  );
  const run = /run_id:(\w+)/.exec(server ?? '')?.[1];
  const history = /master_replid:(\w+)/.exec(replication ?? '')?.[1];
  if (run === undefined || history === undefined)
    throw new Error('INFO does not tell run_id and master_replid; it may be no Redis, or hide them');
  return { run: `${run}.${history}`, promoted: !NEVER_PROMOTED.test(replication ?? '') };
}

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
