import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeQuery } from '../../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';

/** The secret that workers share with a listener without rules (`auth_token`). */
export class WorkerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** Compares the token in constant time. `missing`: the request has no token. */
  check(request: Pick<UpgradeRequest, 'headers' | 'rawQuery'>): 'right' | 'wrong' | 'missing' {
    const token = presentedToken(request);
    if (token === undefined) return 'missing';
    return timingSafeEqual(digestOf(token), this.#digest) ? 'right' : 'wrong';
  }
}

/** Returns the token of `Authorization: Bearer`, or else of `?auth_token=`, which clients without headers use. */
function presentedToken({ headers, rawQuery }: Pick<UpgradeRequest, 'headers' | 'rawQuery'>): string | undefined {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1];
  return bearer ?? decodeQuery(rawQuery)['auth_token']?.at(-1);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
