import { StreamProvider, usePresence } from '@rivulet/client/react';
import { useState } from 'react';
import type { People, Person } from '../shared/people.js';
import { LIST } from '../shared/tasks.js';
import type { Client } from './client.js';
import { Tasks } from './Tasks.js';

export function App({ client, me }: { readonly client: Client; readonly me: Person }) {
  return (
    <StreamProvider client={client}>
      <main>
        <h1>Tasks</h1>
        <Room me={me} />
      </main>
    </StreamProvider>
  );
}

/** The people who are here, those who type, and the tasks. */
function Room({ me }: { readonly me: Person }) {
  const [isTyping, setTyping] = useState(false);
  const here = usePresence<People['here']>('here', LIST, undefined, { self: me.id });
  const typing = usePresence<People['typing']>('typing', LIST, isTyping, { self: me.id });
  const typists = new Set(typing.others.filter(({ data }) => data).map(({ id }) => id));
  return (
    <>
      <p>
        Here: {me.name} (you)
        {here.others.map(({ id, data }) => (
          <span key={id}>
            , {data.name}
            {typists.has(id) && ' is typing'}
          </span>
        ))}
      </p>
      <Tasks onTyping={setTyping} />
    </>
  );
}
