import { LIMITS } from '@rivulet/protocol';
import type { JwtAlgorithm } from '../../config/config.js';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { fetchDocument } from './fetch-document.js';
import { type KeySet, readKeySet } from './key-set.js';
import type { KeyLookup, KeySource } from './key-source.js';
import type { FetchOutcome } from './token-counts.js';

export interface KeyServerOptions {
  readonly url: string;
  /** Milliseconds in which the server must answer the request that begins now. */
  readonly timeoutMs: () => number;
  readonly counts: Record<FetchOutcome, number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const UNKNOWN: KeyLookup = { kind: 'unknown' };
const UNAVAILABLE: KeyLookup = { kind: 'unavailable' };

/**
 * The keys of an identity provider, from `jwks_url`.
 *
 * - A known key is found at once, whatever the server does. Keys count as known for `jwtKeysStaleMs` after the last good document.
 * - A key that is not known causes a fetch, at most one in `jwtKeysPauseMs`. All tokens that need it wait for the same fetch.
 * - Keys older than `jwtKeysFreshMs` are fetched again while they are used, so that a key that the provider withdrew ends.
 * - A document that can't be read changes nothing. A good one replaces all keys.
 */
export class KeyServer implements KeySource {
  readonly #options: KeyServerOptions;
  readonly #stopped = new AbortController();
  #keys: KeySet | undefined;
  #document = '';
  #loadedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #fetch: Promise<void> | undefined;
  #generation = 0;

  constructor(options: KeyServerOptions) {
    this.#options = options;
  }

  generation(): number | undefined {
    if (this.#known === undefined) return undefined;
    if (this.#age > LIMITS.jwtKeysFreshMs) this.#refresh();
    return this.#generation;
  }

  renew(): void {
    this.#refresh();
  }

  find(algorithm: JwtAlgorithm, keyId: string | undefined): KeyLookup | Promise<KeyLookup> {
    // A token must name its key, or every key of the provider could have signed it.
    if (keyId === undefined) return UNKNOWN;
    const known = this.#known;
    if (known?.has(keyId) !== true) return this.#findUnknown(algorithm, keyId);
    if (this.#age > LIMITS.jwtKeysFreshMs) this.#refresh();
    return lookUp(known, algorithm, keyId);
  }

  close(): void {
    this.#stopped.abort();
  }

  /** The keys, while they are not too old. */
  get #known(): KeySet | undefined {
    return this.#age <= LIMITS.jwtKeysStaleMs ? this.#keys : undefined;
  }

  get #age(): number {
    return this.#options.clock.monotonic() - this.#loadedAt;
  }

  async #findUnknown(algorithm: JwtAlgorithm, keyId: string): Promise<KeyLookup> {
    this.#refresh();
    await this.#fetch;
    const known = this.#known;
    if (known?.has(keyId) === true) return lookUp(known, algorithm, keyId);
    // After a failed fetch nobody knows whether the provider has the key.
    return known === undefined || this.#hasFailed ? UNAVAILABLE : UNKNOWN;
  }

  /** Begins a fetch, unless one runs or the last one was a short time ago. */
  #refresh(): void {
    const { clock, logger } = this.#options;
    const now = clock.monotonic();
    const pauseMs = this.#known === undefined ? LIMITS.jwtKeysRetryMs : LIMITS.jwtKeysPauseMs;
    if (this.#fetch !== undefined || this.#stopped.signal.aborted || now - this.#triedAt < pauseMs) return;
    this.#triedAt = now;
    this.#fetch = this.#load().finally(() => {
      this.#fetch = undefined;
    });
    runInBackground(this.#fetch, logger, 'jwt_keys');
  }

  async #load(): Promise<void> {
    const { url, timeoutMs, clock, counts } = this.#options;
    const result = await fetchDocument(url, { mostBytes: LIMITS.jwtKeysBytes, timeoutMs: timeoutMs(), signal: this.#stopped.signal });
    if (this.#stopped.signal.aborted) return;
    if (result.kind === 'failed') {
      this.#failed(result.reason);
      return;
    }
    const isNew = this.#keys === undefined || result.text !== this.#document;
    if (isNew) {
      const reading = readKeySet(result.text);
      if (reading.kind === 'wrong') {
        this.#failed(reading.reason);
        return;
      }
      this.#keys = reading.keys;
      this.#document = result.text;
      this.#generation++;
    }
    counts[isNew ? 'replaced' : 'unchanged']++;
    this.#hasFailed = false;
    this.#loadedAt = clock.monotonic();
  }

  #failed(reason: string): void {
    this.#hasFailed = true;
    this.#options.counts.failed++;
    const ageS = Math.round(this.#age / 1_000);
    const known =
      this.#known === undefined
        ? 'no token can be checked until the key server answers'
        : `known keys are used for ${LIMITS.jwtKeysStaleMs / 1_000} s after the last answer`;
    this.#options.logger.warn('jwt_keys_failed', {
      server: this.#options.url.split('?', 1)[0],
      reason,
      consequence: known,
      ...(Number.isFinite(ageS) ? { age_s: ageS } : {}),
    });
  }
}

function lookUp(keys: KeySet, algorithm: JwtAlgorithm, keyId: string): KeyLookup {
  const key = keys.find(algorithm, keyId);
  return key === undefined ? UNKNOWN : { kind: 'key', key };
}
