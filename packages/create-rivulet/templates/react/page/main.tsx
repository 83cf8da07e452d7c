import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { Person } from '../shared/people.js';
import { App } from './App.js';
import { type Client, connectAs } from './client.js';
import { formText } from './form-text.js';
import './style.css';

const streamUrl = import.meta.env['VITE_STREAM_URL'] ?? 'ws://127.0.0.1:3112';

/** Asks for a name. Put the login of your application here. */
function Login({ onLogin }: { readonly onLogin: (person: Person) => void }) {
  return (
    <main>
      <h1>Tasks</h1>
      <form action={(form) => onLogin({ id: crypto.randomUUID(), name: formText(form, 'name').trim() || 'Somebody' })}>
        <input name="name" placeholder="Your name" maxLength={30} aria-label="Your name" />
        <button type="submit">Come in</button>
      </form>
    </main>
  );
}

interface Session {
  readonly me: Person;
  readonly client: Client;
}

function Page() {
  const [session, setSession] = useState<Session>();
  if (session !== undefined) return <App client={session.client} me={session.me} />;
  return <Login onLogin={(me) => setSession({ me, client: connectAs(me, streamUrl) })} />;
}

const root = document.querySelector('#app');
if (root === null) throw new Error('index.html has no #app');
createRoot(root).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
