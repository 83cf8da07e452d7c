import { useCallback, useEffect, useRef, useState } from 'react';
import { api } from '../wire/admin.js';
import type { ApiFailure, ApiRequest, ApiResult, Cancel } from '../wire/api.js';

/** The last value of a request that is repeated, and why the newest request failed. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly failure: ApiFailure | undefined;
  /** Sends the request now. */
  readonly refresh: () => void;
}

/**
 * Repeats a request, `everyMs` after each answer. A hidden page sends none. The value of an earlier `key` is dropped, and a failed request
 * keeps the value of the last one. Without `everyMs` the request is sent once for each key, and by `refresh`.
 */
export function usePoll<T>(key: string, request: ApiRequest<T>, everyMs?: number): Polled<T> {
  const [shown, setShown] = useState<{ readonly key: string; readonly value?: T; readonly failure?: ApiFailure }>({ key });
  const latest = useRef(request);
  latest.current = request;
  const poller = useRef<Poller | undefined>(undefined);

  useEffect(() => {
    const made = new Poller(
      (done) =>
        api.request(latest.current, (result: ApiResult<T>) => {
          if (result.kind === 'ok') setShown({ key, value: result.value });
          else setShown((before) => (before.key === key ? { ...before, failure: result } : { key, failure: result }));
          done();
        }),
      everyMs,
    );
    poller.current = made;
    return () => made.end();
  }, [key, everyMs]);

  const refresh = useCallback(() => poller.current?.now(), []);
  const isCurrent = shown.key === key;
  return { value: isCurrent ? shown.value : undefined, failure: isCurrent ? shown.failure : undefined, refresh };
}

/** Sends one request after another, while the page is visible. */
class Poller {
  readonly #send: (done: () => void) => Cancel;
  readonly #everyMs: number | undefined;
  #cancel: Cancel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #visible = () => {
    if (!document.hidden && this.#everyMs !== undefined) this.now();
  };

  constructor(send: (done: () => void) => Cancel, everyMs: number | undefined) {
    this.#send = send;
    this.#everyMs = everyMs;
    document.addEventListener('visibilitychange', this.#visible);
    this.now();
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#cancel?.();
    this.#cancel = this.#send(() => {
      if (this.#everyMs !== undefined && !document.hidden) this.#timer = setTimeout(() => this.now(), this.#everyMs);
    });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#cancel?.();
    document.removeEventListener('visibilitychange', this.#visible);
  }
}
