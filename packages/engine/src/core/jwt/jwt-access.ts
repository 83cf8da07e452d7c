import { LIMITS } from '@rivulet/protocol';
import type { JwtConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import { CheckedTokens } from './checked-tokens.js';
import { KeyServer } from './key-server.js';
import { FixedKey, type KeySource } from './key-source.js';
import { presentedToken } from './presented-token.js';
import { TokenCheck, type TokenResult } from './token-check.js';
import { TokenCounts } from './token-counts.js';

/** The parts of a request on which the check of its token depends. */
type TokenRequest = Pick<UpgradeRequest, 'headers' | 'protocols' | 'rawQuery' | 'addressGroup' | 'whenGone'>;

/** The check of tokens of one listener. Its keys and grants can be replaced while the engine runs. */
export class JwtAccess {
  readonly counts = new TokenCounts();
  readonly #checked = new CheckedTokens();
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #fetchTimeoutMs: () => number;
  #config: JwtConfig;
  #keys: KeySource;
  #check: TokenCheck;

  /** `fetchTimeoutMs`: the time in which a key server must answer the request that begins now. */
  constructor(config: JwtConfig, clock: Clock, logger: Logger, fetchTimeoutMs: () => number = () => LIMITS.jwtKeysTimeoutMs) {
    this.#clock = clock;
    this.#logger = logger;
    this.#fetchTimeoutMs = fetchTimeoutMs;
    this.#config = config;
    this.#keys = this.#keysOf(config.keys);
    this.#check = new TokenCheck(config, this.#keys, clock);
  }

  /** Checks the token of a request. `token`: another one, which the client sent later. */
  async check(request: TokenRequest, token = presentedToken(request)): Promise<TokenResult> {
    if (token === undefined || token === '') return this.#counted({ kind: 'refused', reason: 'token_missing' });
    const known = this.#checked.find(token, this.#keys.generation(), this.#clock.now());
    if (known === undefined) return this.#counted(await this.#checkAnew(token, request));
    this.counts.checks.known++;
    return { kind: 'right', token: known };
  }

  /**
   * Uses other keys and grants for the tokens that come from now on. Sessions keep what their tokens gave them. The keys of a key server
   * stay known if its address is the same, because the server may be down now.
   */
  replace(config: JwtConfig): void {
    const [before, { keys }] = [this.#config.keys, config];
    this.#config = config;
    this.#checked.clear();
    if (before.kind === 'jwks_url' && keys.kind === 'jwks_url' && before.url === keys.url) this.#keys.renew();
    else {
      this.#keys.close();
      this.#keys = this.#keysOf(keys);
    }
    this.#check = new TokenCheck(config, this.#keys, this.#clock);
  }

  close(): void {
    this.#keys.close();
  }

  async #checkAnew(token: string, request: TokenRequest): Promise<TokenResult> {
    for (;;) {
      const check = this.#check;
      const generation = this.#keys.generation();
      const result = await check.check(token, request);
      // Keys or grants that were replaced meanwhile let nobody in.
      if (check !== this.#check) continue;
      // The keys of a server may have been replaced since the key was found, and a token of the keys before is not kept.
      if (result.kind === 'right' && generation === this.#keys.generation()) this.#checked.add(token, generation, result.token);
      return result;
    }
  }

  #counted(result: TokenResult): TokenResult {
    this.counts.checks[result.kind]++;
    if (result.kind === 'refused') this.counts.refusals[result.reason]++;
    return result;
  }

  #keysOf(keys: JwtConfig['keys']): KeySource {
    if (keys.kind !== 'jwks_url') return new FixedKey(keys);
    const server = new KeyServer({
      url: keys.url,
      timeoutMs: this.#fetchTimeoutMs,
      counts: this.counts.fetches,
      clock: this.#clock,
      logger: this.#logger,
    });
    server.renew();
    return server;
  }
}
