type Area = 'sessionStorage' | 'localStorage';

/** Returns a text that the browser keeps; `undefined` without one, or when the browser allows no storage. */
export function kept(area: Area, key: string): string | undefined {
  try {
    return globalThis[area].getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a text, or forgets it. Without storage the page forgets it when it is loaded again. */
export function keep(area: Area, key: string, text: string | undefined): void {
  try {
    if (text === undefined) globalThis[area].removeItem(key);
    else globalThis[area].setItem(key, text);
  } catch {
    // The page works without it.
  }
}
