import { useEffect } from 'react';
import type { Route } from '../parts/address.js';
import { useFocusOnChange, useRoute } from '../parts/route.js';
import { Loading } from '../parts/states.js';
import { access, checkAccess } from '../wire/admin.js';
import { useStore } from '../wire/store.js';
import { ErrorBoundary } from './error-boundary.js';
import { Navigation } from './navigation.js';
import { PAGES, type PageEntry } from './pages.js';
import { TokenForm, Unavailable } from './token-form.js';

/** The whole page: the navigation, and the view that the address names. */
export function App() {
  const state = useStore(access);
  const { parts, query } = useRoute();
  const [name, ...rest] = parts;
  const entry = name === undefined ? PAGES[0] : PAGES.find((each) => each.name === name);

  useEffect(() => {
    document.title = [...rest.toReversed(), entry?.title ?? 'Not found', 'Rivulet'].join(' · ');
  });

  switch (state.kind) {
    case 'checking':
      return (
        <main className="gate">
          <Loading what="the inspector" />
        </main>
      );
    case 'asking':
      return <TokenForm wasWrong={state.wasWrong} />;
    case 'unavailable':
      return <Unavailable message={state.message} onRetry={checkAccess} />;
    case 'granted':
      return (
        <div className="shell">
          <a className="skip" href="#main" onClick={skipToMain}>
            Skip to the content
          </a>
          <Navigation current={entry?.name} role={state.role} />
          <Main entry={entry} route={{ parts: rest, query }} />
        </div>
      );
  }
}

function Main({ entry, route }: { readonly entry: PageEntry | undefined; readonly route: Route }) {
  const key = JSON.stringify([entry?.name, route.parts]);
  const main = useFocusOnChange(key);
  return (
    <main id="main" ref={main} tabIndex={-1}>
      <ErrorBoundary key={key}>{entry === undefined ? <NotFound /> : <entry.page {...route} />}</ErrorBoundary>
    </main>
  );
}

function NotFound() {
  return (
    <>
      <h1>No such page</h1>
      <p>
        The address names no page of the inspector. <a href="#/overview">Go to the overview</a>.
      </p>
    </>
  );
}

/** The fragment belongs to the route, so the link moves the focus by itself. */
function skipToMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
