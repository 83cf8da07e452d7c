import { percentDecode, percentEncode } from '@rivulet/protocol';
import { useEffect, useRef } from 'react';
import { Store, useStore } from '../wire/store.js';

/*
 * The address of a view stands in the fragment: `#/streams/chat/room-1?search=ann`. Fragments never reach a server, so names in them stay
 * out of access logs, and the engine serves one document for all views.
 */

/** Parts of the path, decoded, and parameters. The first part names the page. */
export interface Route {
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** Returns the route of a fragment. A malformed part stays as it is. */
export function readRoute(fragment: string): Route {
  const [path = '', query = ''] = fragment.replace(/^#?\/?/, '').split('?', 2);
  const parts = path === '' ? [] : path.split('/').map((part) => percentDecode(part) ?? part);
  return { parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Returns the link to a view. Parameters that are empty or `undefined` are left out. */
export function linkTo(parts: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${percentEncode(value)}`],
  );
  return `#/${parts.map(percentEncode).join('/')}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
}

const route = new Store<Route>(readRoute(location.hash));
addEventListener('hashchange', () => route.set(readRoute(location.hash)));

export function useRoute(): Route {
  return useStore(route);
}

/** Changes the parameters of the view without a new entry in the history, such as while somebody types into a search box. */
export function replaceQuery(query: Readonly<Record<string, string | undefined>>): void {
  const { parts } = route.get();
  history.replaceState(null, '', linkTo(parts, query));
  route.set(readRoute(location.hash));
}

export function goTo(parts: readonly string[], query?: Readonly<Record<string, string | undefined>>): void {
  location.hash = linkTo(parts, query);
}

/**
 * Moves the focus to the heading of a view after a change of the view, so that a screen reader reads it. The first view keeps the focus
 * where the browser puts it.
 */
export function useFocusOnChange(key: string): React.RefObject<HTMLElement | null> {
  const target = useRef<HTMLElement | null>(null);
  const shown = useRef(key);
  useEffect(() => {
    if (shown.current === key) return;
    shown.current = key;
    target.current?.focus();
    scrollTo(0, 0);
  }, [key]);
  return target;
}
