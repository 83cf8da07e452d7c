import type { StreamClient } from '../../src/index.js';

export interface Person {
  readonly name: string;
  readonly typing: boolean;
}

/** How a test drives a component that shows the people of `presence`/`room`. */
export interface PeoplePage {
  show: (client: StreamClient, name: string) => void;
  setTyping: (typing: boolean) => void;
  update: (person: Person) => void;
  end: () => void;
}

/** Returns the line that every framework shows. */
export function peopleLine(status: string, self: Person | undefined, others: readonly Person[]): string {
  const name = (person: Person | undefined) => `${person?.name ?? 'nobody'}${person?.typing === true ? ' who types' : ''}`;
  return `${status}, I am ${name(self)}, with ${others.map(name).join(' and ')}`;
}
