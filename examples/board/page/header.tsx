import { Avatar } from './avatar.js';
import { me } from './client.js';
import type { Streams } from './types.js';

/** The bar at the top, with everybody who is here. */
export function Header({ people }: { readonly people: readonly Streams['here'][] }) {
  return (
    <header className="bar">
      <h1>
        <span className="logo" aria-hidden="true" />
        Team board
      </h1>
      <ul className="people" aria-label="People who are here">
        {people.map((person) => (
          <li key={person.id} data-person={person.id}>
            <Avatar person={person} label={person.id === me.sub ? `${person.name} (you)` : person.name} />
          </li>
        ))}
      </ul>
      <form method="post" action="/logout">
        <button type="submit" className="quiet">
          Log out
        </button>
      </form>
    </header>
  );
}
