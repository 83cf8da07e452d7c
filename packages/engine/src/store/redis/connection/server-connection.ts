import { type Client, destroy, inTime, openClient, type RedisReply, sendBytes } from './redis-client.js';
import { unavailable } from './redis-error.js';
import { readServerFacts, type ServerFacts } from './server-info.js';

export interface RedisScript {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

export type Listener = (message: Buffer, channel: Buffer) => void;

export interface ServerConnectionOptions {
  readonly url: string;
  /** Whether the server belongs to a Cluster. Its channels are then sharded. */
  readonly clustered: boolean;
  /** Whether no other server can take its place. */
  readonly alone: boolean;
  readonly connectTimeoutMs: number;
  /** Longest time for one command, in milliseconds. */
  readonly commandTimeoutMs: number;
  readonly scripts: readonly RedisScript[];
  /** A channel of this server that no other process uses. */
  readonly canary: string;
  /** Called when the connection ends by itself: at most once, and never after `close`. */
  readonly onLost: (why: string) => void;
  /** Called when a subscribed channel has moved to another server. */
  readonly onMoved: () => void;
}

/** Pause between two canary messages, in milliseconds. */
const CANARY_MS = 1_000;
/** Pause between two checks of the oldest command, in milliseconds. A command fails at most this much too late. */
const CHECK_MS = 100;
/** Canary messages in a row that may be missing. */
const MOST_MISSED = 3;
/** Commands without an answer. Further ones are refused. */
const MOST_COMMANDS = 65_536;

/** A subscription: one channel, or all channels that match a pattern. */
export type Topic = `channel ${string}` | `pattern ${string}`;

/**
 * The connection to one server: a socket for commands and a socket for messages. When one of them is lost, both end, and every command
 * without an answer fails.
 *
 * Two checks find a dead server whose sockets stay open. A command may get no answer in time. Or this process does not receive the canary
 * messages that it publishes to itself.
 */
export class ServerConnection {
  #facts: ServerFacts;
  #refreshing: Promise<void> | undefined;
  readonly #options: ServerConnectionOptions;
  readonly #commands: Client;
  readonly #messages: Client;
  /** Subscriptions that the server has confirmed. */
  readonly #made = new Map<Topic, Listener>();
  /** The last change of each subscription that is under way. */
  readonly #settling = new Map<Topic, Promise<void>>();
  /** Commands without an answer, the oldest first, with their monotonic time in milliseconds. */
  readonly #sent = new Map<object, number>();
  readonly #timers: readonly NodeJS.Timeout[];
  #canary: string;
  /** Canary messages in a row that did not arrive. */
  #missed = 0;
  /** Why the connection is over. */
  #over: string | undefined;

  private constructor(options: ServerConnectionOptions, [commands, messages]: readonly [Client, Client], facts: ServerFacts) {
    this.#options = options;
    this.#commands = commands;
    this.#messages = messages;
    this.#facts = facts;
    this.#canary = options.canary;
    for (const client of [commands, messages]) {
      client.on('error', (error: Error) => this.#endWith(error.message));
      client.on('end', () => this.#endWith('the connection has ended'));
    }
    messages.on('sharded-channel-moved', (channel: unknown) => {
      this.#made.delete(`channel ${String(channel)}`);
      options.onMoved();
    });
    this.#timers = [setInterval(() => this.#publishCanary(), CANARY_MS).unref(), setInterval(() => this.#checkOldest(), CHECK_MS).unref()];
  }

  /** Rejects when the server cannot be reached, or is not one that the store can use (server-info.ts). */
  static async open(options: ServerConnectionOptions): Promise<ServerConnection> {
    const { url, clustered, alone, connectTimeoutMs, commandTimeoutMs, scripts, canary } = options;
    const opened = await Promise.allSettled([openClient(url, connectTimeoutMs), openClient(url, connectTimeoutMs)]);
    const clients = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const [commands, messages] = clients;
    try {
      for (const each of opened) if (each.status === 'rejected') throw each.reason;
      if (commands === undefined || messages === undefined) throw new Error('it has no connections');
      const facts = await inTime(readServerFacts(commands, clustered, alone), commandTimeoutMs);
      await inTime(Promise.all(scripts.map(({ text }) => commands.sendCommand(['SCRIPT', 'LOAD', text]))), commandTimeoutMs);
      const link = new ServerConnection(options, [commands, messages], facts);
      await inTime(
        link.#subscribe(`channel ${canary}`, () => (link.#missed = 0)),
        commandTimeoutMs,
      );
      // A socket may have closed meanwhile.
      if (!clients.every((client) => client.isReady)) throw new Error('the connection has ended');
      return link;
    } catch (error) {
      for (const client of clients) destroy(client);
      throw error;
    }
  }

  get facts(): ServerFacts {
    return this.#facts;
  }

  /** Reads the facts of the server again. The name of its history changes without a reconnect when it gets its first replica. */
  refreshFacts(): Promise<void> {
    const { clustered, alone, commandTimeoutMs } = this.#options;
    this.#refreshing ??= inTime(readServerFacts(this.#commands, clustered, alone), commandTimeoutMs)
      .then((facts) => {
        this.#facts = facts;
      })
      .finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  get over(): boolean {
    return this.#over !== undefined;
  }

  /** Sends one command. Rejects with the error of the server, or with STORE_UNAVAILABLE when the connection is over. */
  async send(words: readonly (string | Buffer)[]): Promise<RedisReply> {
    if (this.#over !== undefined) throw unavailable(this.#over);
    if (this.#sent.size >= MOST_COMMANDS) throw unavailable(`${MOST_COMMANDS} commands wait for their answer`);
    const command = {};
    this.#sent.set(command, performance.now());
    try {
      return await sendBytes(this.#commands, words);
    } catch (error) {
      // Another server has become the primary, and this one its replica.
      if (error instanceof Error && error.message.startsWith('READONLY')) this.#endWith('it has become a replica');
      if (this.#over !== undefined) throw unavailable(this.#over);
      throw error;
    } finally {
      this.#sent.delete(command);
    }
  }

  /** Runs a script. All keys must belong to this server. */
  async run(script: RedisScript, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<RedisReply> {
    const words = [script.sha, String(keys.length), ...keys, ...args];
    try {
      return await this.send(['EVALSHA', ...words]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      // The script cache of the server was flushed, so nothing was executed.
      await this.send(['SCRIPT', 'LOAD', script.text]);
      return this.send(['EVALSHA', ...words]);
    }
  }

  get canary(): string {
    return this.#canary;
  }

  /** Uses another canary channel, because the slot of the one before has moved to another server. */
  async useCanary(canary: string): Promise<void> {
    await inTime(
      this.#subscribe(`channel ${canary}`, () => (this.#missed = 0)),
      this.#options.commandTimeoutMs,
    );
    this.#canary = canary;
  }

  /** Confirmed subscriptions with their listeners, without the canary. */
  get topics(): ReadonlyMap<Topic, Listener> {
    return this.#made;
  }

  /**
   * Resolves when the listener gets the messages of the topic; without a listener, when the subscription has ended. Changes of one topic
   * run one after another, because the client library loses a subscription that is made while it is being ended.
   */
  applySubscription(topic: Topic, listener: Listener | undefined): Promise<void> {
    const settled = (this.#settling.get(topic) ?? Promise.resolve()).catch(() => {}).then(() => this.#setSubscription(topic, listener));
    this.#settling.set(topic, settled);
    const end = () => {
      if (this.#settling.get(topic) === settled) this.#settling.delete(topic);
    };
    settled.then(end, end);
    return inTime(settled, this.#options.commandTimeoutMs);
  }

  /** Ends both sockets. Every command without an answer fails. */
  close(why: string): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    for (const timer of this.#timers) clearInterval(timer);
    destroy(this.#commands);
    destroy(this.#messages);
  }

  #endWith(why: string): void {
    if (this.#over !== undefined) return;
    this.close(why);
    this.#options.onLost(why);
  }

  async #setSubscription(topic: Topic, listener: Listener | undefined): Promise<void> {
    const have = this.#made.get(topic);
    if (have === listener) return;
    if (have !== undefined) {
      await this.#unsubscribe(topic).catch((error: unknown) => {
        // The channel belongs to another server, so this one has ended the subscription already.
        if (!(error instanceof Error) || !error.message.startsWith('MOVED ')) throw error;
      });
      this.#made.delete(topic);
    }
    if (listener === undefined) return;
    await this.#subscribe(topic, listener);
    this.#made.set(topic, listener);
  }

  async #subscribe(topic: Topic, listener: Listener): Promise<void> {
    const name = nameOf(topic);
    if (topic.startsWith('pattern ')) await this.#messages.pSubscribe(name, listener, true);
    else if (this.#options.clustered) await this.#messages.sSubscribe(name, listener, true);
    else await this.#messages.subscribe(name, listener, true);
  }

  async #unsubscribe(topic: Topic): Promise<void> {
    const name = nameOf(topic);
    if (topic.startsWith('pattern ')) await this.#messages.pUnsubscribe(name);
    else if (this.#options.clustered) await this.#messages.sUnsubscribe(name);
    else await this.#messages.unsubscribe(name);
  }

  /** Ends the connection when the oldest command is late. Answers come in order, so one timer serves all commands. */
  #checkOldest(): void {
    const { commandTimeoutMs } = this.#options;
    const late = () => {
      const [oldest] = this.#sent.values();
      return oldest !== undefined && performance.now() - oldest > commandTimeoutMs;
    };
    if (!late()) return;
    // After a pause of this process the answer may wait unread in the socket: read the socket once before the connection ends.
    setImmediate(() => {
      if (late()) this.#endWith(`no answer within ${commandTimeoutMs} ms`);
    });
  }

  /** Publishes a canary message. Without it, a broken subscription would look like one without messages. */
  #publishCanary(): void {
    if (this.#missed++ >= MOST_MISSED) {
      this.#endWith('published messages do not arrive');
      return;
    }
    this.send([this.#options.clustered ? 'SPUBLISH' : 'PUBLISH', this.#canary, '']).catch(() => {});
  }
}

export function nameOf(topic: Topic): string {
  return topic.slice(topic.indexOf(' ') + 1);
}
