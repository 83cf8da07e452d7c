import { type Client, destroy, inTime, openClient, type RedisReply, sendBytes } from './redis-client.js';
import { unavailable } from './redis-error.js';
import { askServer, type ServerFacts } from './server-info.js';

export interface RedisScript {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

export type Listener = (message: Buffer, channel: Buffer) => void;

export interface LinkOptions {
  readonly url: string;
  /** Whether the server belongs to a Cluster: then channels are sharded. */
  readonly clustered: boolean;
  /** Whether no other server can take its place. */
  readonly alone: boolean;
  readonly connectTimeoutMs: number;
  /** After which a command has failed, in milliseconds. */
  readonly commandTimeoutMs: number;
  readonly scripts: readonly RedisScript[];
  /** A channel that the server has and nobody else uses. */
  readonly canary: string;
  /** It is of no use any more. Called at most once, and not after `close`. */
  readonly onLost: (why: string) => void;
  /** The server has given a channel away to another one. */
  readonly onMoved: () => void;
}

const CANARY_MS = 1_000;
/** A command fails that much after its time at most. */
const WATCH_MS = 100;
/** Nonces in a row that did not come back. */
const MOST_MISSED = 3;
/** Commands that are not answered yet. */
const MOST_COMMANDS = 65_536;

/** What may be subscribed to: a channel, or all that match a pattern. */
export type Topic = `channel ${string}` | `pattern ${string}`;

/**
 * The way to one server: a connection for commands and one for what is published. It is there when both are; when either is lost it is over,
 * and everything that waits fails.
 */
export class RedisLink {
  #facts: ServerFacts;
  #asking: Promise<void> | undefined;
  readonly #options: LinkOptions;
  readonly #commands: Client;
  readonly #messages: Client;
  /** What is subscribed to, and what of that is about to change. */
  readonly #made = new Map<Topic, Listener>();
  readonly #settling = new Map<Topic, Promise<void>>();
  /** When each command that is not answered was sent, in monotonic milliseconds; the oldest first. */
  readonly #sent = new Map<object, number>();
  readonly #timers: readonly NodeJS.Timeout[];
  #canary: string;
  #missed = 0;
  #over: string | undefined;

  private constructor(options: LinkOptions, [commands, messages]: readonly [Client, Client], facts: ServerFacts) {
    this.#options = options;
    this.#commands = commands;
    this.#messages = messages;
    this.#facts = facts;
    this.#canary = options.canary;
    for (const client of [commands, messages]) {
      client.on('error', (error: Error) => this.#lost(error.message));
      client.on('end', () => this.#lost('the connection has ended'));
    }
    messages.on('sharded-channel-moved', (channel: unknown) => {
      this.#made.delete(`channel ${String(channel)}`);
      options.onMoved();
    });
    this.#timers = [setInterval(() => this.#sing(), CANARY_MS).unref(), setInterval(() => this.#lookAtOldest(), WATCH_MS).unref()];
  }

  /** Rejects when the server can't be reached or used. */
  static async open(options: LinkOptions): Promise<RedisLink> {
    const { url, clustered, alone, connectTimeoutMs, commandTimeoutMs, scripts, canary } = options;
    const opened = await Promise.allSettled([openClient(url, connectTimeoutMs), openClient(url, connectTimeoutMs)]);
    const clients = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const [commands, messages] = clients;
    try {
      for (const each of opened) if (each.status === 'rejected') throw each.reason;
      if (commands === undefined || messages === undefined) throw new Error('it has no connections');
      const facts = await inTime(askServer(commands, clustered, alone), commandTimeoutMs);
      await inTime(Promise.all(scripts.map(({ text }) => commands.sendCommand(['SCRIPT', 'LOAD', text]))), commandTimeoutMs);
      const link = new RedisLink(options, [commands, messages], facts);
      await inTime(
        link.#subscribe(`channel ${canary}`, () => (link.#missed = 0)),
        commandTimeoutMs,
      );
      // Either may have gone while the rest was asked.
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

  /** Asks the server anew what it is: its history gets another name with its first replica, too, while the connection stays. */
  askAgain(): Promise<void> {
    const { clustered, alone, commandTimeoutMs } = this.#options;
    this.#asking ??= inTime(askServer(this.#commands, clustered, alone), commandTimeoutMs)
      .then((facts) => {
        this.#facts = facts;
      })
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  get over(): boolean {
    return this.#over !== undefined;
  }

  /** Rejects with the words of the server, or with STORE_UNAVAILABLE. */
  async ask(words: readonly (string | Buffer)[]): Promise<RedisReply> {
    if (this.#over !== undefined) throw unavailable(this.#over);
    if (this.#sent.size >= MOST_COMMANDS) throw unavailable(`${MOST_COMMANDS} commands wait for their answer`);
    const command = {};
    this.#sent.set(command, performance.now());
    try {
      return await sendBytes(this.#commands, words);
    } catch (error) {
      // Another server has become the primary.
      if (error instanceof Error && error.message.startsWith('READONLY')) this.#lost('it has become a replica');
      if (this.#over !== undefined) throw unavailable(this.#over);
      throw error;
    } finally {
      this.#sent.delete(command);
    }
  }

  /** `keys` are of this server. */
  async run(script: RedisScript, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<RedisReply> {
    const words = [script.sha, String(keys.length), ...keys, ...args];
    try {
      return await this.ask(['EVALSHA', ...words]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      // It was flushed: nothing was carried out.
      await this.ask(['SCRIPT', 'LOAD', script.text]);
      return this.ask(['EVALSHA', ...words]);
    }
  }

  get canary(): string {
    return this.#canary;
  }

  /** Takes this channel for it from now on: another server may have the one before. */
  async useCanary(canary: string): Promise<void> {
    await inTime(
      this.#subscribe(`channel ${canary}`, () => (this.#missed = 0)),
      this.#options.commandTimeoutMs,
    );
    this.#canary = canary;
  }

  /** What arrives, the canary aside. */
  get topics(): ReadonlyMap<Topic, Listener> {
    return this.#made;
  }

  /**
   * Resolves when messages of the topic go to the listener, or none do. One step after the other for each topic: the client forgets a
   * subscription that is made while its end is on the way.
   */
  bring(topic: Topic, listener: Listener | undefined): Promise<void> {
    const settled = (this.#settling.get(topic) ?? Promise.resolve()).catch(() => {}).then(() => this.#bring(topic, listener));
    this.#settling.set(topic, settled);
    const end = () => {
      if (this.#settling.get(topic) === settled) this.#settling.delete(topic);
    };
    settled.then(end, end);
    return inTime(settled, this.#options.commandTimeoutMs);
  }

  /** Nothing that waits is answered any more. */
  close(why: string): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    for (const timer of this.#timers) clearInterval(timer);
    destroy(this.#commands);
    destroy(this.#messages);
  }

  #lost(why: string): void {
    if (this.#over !== undefined) return;
    this.close(why);
    this.#options.onLost(why);
  }

  async #bring(topic: Topic, listener: Listener | undefined): Promise<void> {
    const have = this.#made.get(topic);
    if (have === listener) return;
    if (have !== undefined) {
      await this.#unsubscribe(topic).catch((error: unknown) => {
        // Another server has it: this one has ended it already.
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

  /** Answers come in order: when the oldest command has none, nor has any other. One timer for all, since there are many. */
  #lookAtOldest(): void {
    const { commandTimeoutMs } = this.#options;
    const late = () => {
      const [oldest] = this.#sent.values();
      return oldest !== undefined && performance.now() - oldest > commandTimeoutMs;
    };
    if (!late()) return;
    // After a stall of this process the answer may lie unread in the socket.
    setImmediate(() => {
      if (late()) this.#lost(`no answer within ${commandTimeoutMs} ms`);
    });
  }

  /** A connection that is subscribed and gets nothing looks like a quiet one: so something is published to it. */
  #sing(): void {
    if (this.#missed++ >= MOST_MISSED) {
      this.#lost('what is published does not arrive');
      return;
    }
    this.ask([this.#options.clustered ? 'SPUBLISH' : 'PUBLISH', this.#canary, '']).catch(() => {});
  }
}

export function nameOf(topic: Topic): string {
  return topic.slice(topic.indexOf(' ') + 1);
}
