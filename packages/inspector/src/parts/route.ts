import { useEffect, useRef } from 'react';
import { Store, useStore } from '../wire/store.js';
import { linkTo, type Route, readRoute } from './address.js';

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

/**
 * Moves the focus to the content after a change of the view, so that a screen reader reads on from there. The first view keeps the focus
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
