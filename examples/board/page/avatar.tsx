import type { CSSProperties } from 'react';
import type { Person } from './types.js';

/** Makes `var(--who)` the colour of a person in an element. */
export const colored = ({ color }: Person): CSSProperties => ({ ['--who' as string]: `var(--${color})` });

/** The initials of a person in the colour of the person. `label` is read aloud. */
export function Avatar({ person, label }: { readonly person: Person; readonly label?: string }) {
  const initials = person.name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => Array.from(word)[0] ?? '')
    .join('');
  return (
    <span
      className="avatar"
      style={colored(person)}
      title={label}
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    >
      {initials}
    </span>
  );
}
