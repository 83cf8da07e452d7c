import { AdminApi } from './api.js';
import { object, oneOf } from './decoder.js';
import { Store } from './store.js';
import { isPossibleToken, storedToken, storeToken } from './token.js';

/*
 * The page has one admin API and one token. The engine decides what the token may do:
 *
 * ```
 *   checking ──► granted        the engine needs no token, or accepts this one
 *            ──► asking         the engine needs a token, or refuses this one; the shell shows the form
 *            ──► unavailable    no answer, or a refusal that no token mends; the shell offers another try
 * ```
 *
 * Any answer with status 401 leads back to `asking`, such as after a restart with another token. The token stays in the storage of the
 * tab, which ends with the tab, and never in an address.
 */

export type Role = 'viewer' | 'full';

export type Access =
  | { readonly kind: 'checking' }
  | { readonly kind: 'granted'; readonly role: Role }
  /** `wasWrong`: the engine refused the token that the page had. */
  | { readonly kind: 'asking'; readonly wasWrong: boolean }
  | { readonly kind: 'unavailable'; readonly message: string };

export const BASE = new URL('.', document.baseURI).href;
export const access = new Store<Access>({ kind: 'checking' });
let token = storedToken();

export const api = new AdminApi(BASE, () => token, askAgain);

export const currentToken = (): string | undefined => token;

/** Returns the token as `/live` reads it: encoded, because a token may have characters that no sub-protocol can have. */
export function tokenForLive(): string | undefined {
  if (token === undefined) return undefined;
  const text = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
  return `base64url.${text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

const decodeRole = object({ access: oneOf('viewer', 'full') });
/** No sample is newer, so the answer has none. */
const NO_SAMPLES = Number.MAX_SAFE_INTEGER;

/** Asks the engine what the token may do. */
export function checkAccess(): void {
  access.set({ kind: 'checking' });
  api.request({ path: ['overview'], query: { since: NO_SAMPLES }, decoder: decodeRole }, (result) => {
    if (result.kind === 'ok') access.set({ kind: 'granted', role: result.value.access });
    else if (result.kind === 'unreachable') access.set({ kind: 'unavailable', message: 'The engine does not answer.' });
    else if (result.kind === 'unexpected')
      access.set({ kind: 'unavailable', message: `The engine gave a strange answer: ${result.message}.` });
    else if (result.status !== 401) access.set({ kind: 'unavailable', message: `${result.code}: ${result.message}` });
  });
}

export function giveToken(given: string): void {
  if (!isPossibleToken(given)) {
    access.set({ kind: 'asking', wasWrong: true });
    return;
  }
  token = given;
  storeToken(given);
  checkAccess();
}

/** Forgets the token, and shows the form. */
export function forgetToken(): void {
  token = undefined;
  storeToken(undefined);
  checkAccess();
}

function askAgain(): void {
  access.set({ kind: 'asking', wasWrong: token !== undefined });
}
