import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeQuery } from '../../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';

/** The secret that workers share with a listener without rules (`auth_token`). */
export class WorkerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** Compares in constant time. `missing`: the request brings no token. */
  check(request: Pick<UpgradeRequest, 'headers' | 'rawQuery'>): 'right' | 'wrong' | 'missing' {
    const token = presentedToken(request);
    if (token === undefined) return 'missing';
    return timingSafeEqual(digestOf(token), this.#digest) ? 'right' : 'wrong';
  }
}

/** `Authorization: Bearer`, else `?auth_token=`, for clients that can send no headers. */
function presentedToken({ headers, rawQuery }: Pick<UpgradeRequest, 'headers' | 'rawQuery'>): string | undefined {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1];
  return bearer ?? decodeQuery(rawQuery)['auth_token']?.at(-1);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
