import { useEffect, useRef, useState } from 'react';
import { api } from '../wire/admin.js';
import type { ApiFailure, ApiRequest, Cancel } from '../wire/api.js';
import { type Decoder, type Page, pageOf } from '../wire/decoder.js';
import { PageFill } from './row-pages.js';

/** Rows of one page of a table. */
export const PAGE_ROWS = 50;

/** A list of the admin API. */
export interface RowSource<T> {
  readonly path: readonly string[];
  readonly query?: ApiRequest<unknown>['query'];
  readonly row: Decoder<T>;
}

export interface Pages<T> {
  /** `undefined` until the first answer. */
  readonly rows: readonly T[] | undefined;
  readonly failure: ApiFailure | undefined;
  readonly isLoading: boolean;
  /** Number of the page, from 1. */
  readonly number: number;
  readonly hasNext: boolean;
  readonly next: () => void;
  readonly previous: () => void;
  readonly refresh: () => void;
}

interface Shown<T> {
  readonly key: string;
  readonly page?: Page<T>;
  readonly failure?: ApiFailure;
  readonly isLoading: boolean;
}

/** Milliseconds that a search waits for the next key press. */
const TYPING_MS = 200;

/**
 * Shows one page of a list at a time. The page begins anew when the source or the search changes. With `everyMs`, the page on screen is
 * requested again and again, while the browser tab is visible.
 */
export function usePages<T>(source: RowSource<T>, search: string, everyMs?: number): Pages<T> {
  const listKey = JSON.stringify([source.path, source.query, search]);
  const [place, setPlace] = useState<{ readonly key: string; readonly cursors: readonly (string | undefined)[] }>({
    key: listKey,
    cursors: [undefined],
  });
  const cursors = place.key === listKey ? place.cursors : [undefined];
  const [turn, setTurn] = useState(0);
  const [shown, setShown] = useState<Shown<T>>({ key: listKey, isLoading: true });
  const latest = useRef(source);
  latest.current = source;
  const after = cursors.at(-1);

  useEffect(() => {
    let cancel: Cancel = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = () => {
      setShown((before) => (before.key === listKey ? { ...before, isLoading: true } : { key: listKey, isLoading: true }));
      cancel = loadPage(latest.current, search, after, (page, failure) => {
        if (failure === undefined) setShown({ key: listKey, isLoading: false, ...(page === undefined ? {} : { page }) });
        else setShown((before) => ({ ...before, key: listKey, failure, isLoading: false }));
        if (everyMs !== undefined) timer = setTimeout(again, everyMs);
      });
    };
    const again = () => {
      if (document.hidden) timer = setTimeout(again, everyMs);
      else load();
    };
    timer = setTimeout(load, search === '' ? 0 : TYPING_MS);
    return () => {
      clearTimeout(timer);
      cancel();
    };
  }, [listKey, after, turn, search, everyMs]);

  const isCurrent = shown.key === listKey;
  const next = isCurrent ? shown.page?.next : undefined;
  return {
    rows: isCurrent ? shown.page?.rows : undefined,
    failure: isCurrent ? shown.failure : undefined,
    isLoading: !isCurrent || shown.isLoading,
    number: cursors.length,
    hasNext: next !== undefined,
    next: () => next !== undefined && setPlace({ key: listKey, cursors: [...cursors, next] }),
    previous: () => cursors.length > 1 && setPlace({ key: listKey, cursors: cursors.slice(0, -1) }),
    refresh: () => setTurn((count) => count + 1),
  };
}

/** Requests one page of the table, in as many requests as a search needs. */
function loadPage<T>(
  source: RowSource<T>,
  search: string,
  after: string | undefined,
  done: (page: Page<T> | undefined, failure: ApiFailure | undefined) => void,
): Cancel {
  const fill = new PageFill<T>(after, PAGE_ROWS);
  const decoder = pageOf(source.row);
  let cancel: Cancel = () => {};
  const proceed = () => {
    const step = fill.step();
    if (step.kind === 'done') return done(step.page, undefined);
    const query = { ...source.query, limit: step.limit, after: step.after, search: search === '' ? undefined : search };
    cancel = api.request({ path: source.path, query, decoder }, (result) => {
      if (result.kind !== 'ok') return done(undefined, result);
      fill.add(result.value);
      proceed();
    });
  };
  proceed();
  return () => cancel();
}
