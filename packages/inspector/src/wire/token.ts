import { keep, kept } from './kept.js';

const KEY = 'rivulet-token';

/** Returns whether an engine can have this token. Others fit into no header, so no request could carry them. */
export function isPossibleToken(text: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/.test(text);
}

/** Returns the token that the tab keeps; `undefined` without one. */
export function storedToken(): string | undefined {
  const token = kept('sessionStorage', KEY) ?? '';
  return isPossibleToken(token) ? token : undefined;
}

/** Keeps a token until the tab ends, or forgets it. */
export function storeToken(token: string | undefined): void {
  keep('sessionStorage', KEY, token);
}
