import { useEffect, useMemo, useState } from 'react';
import { me, usePresence } from './client.js';
import type { Person, Streams } from './types.js';
import { GROUP } from './use-board.js';

/** A person who writes on a card now. */
export interface Writer extends Person {
  readonly isTyping: boolean;
}

/** A person counts as typing until this long after the last key. */
const TYPING_MS = 2_000;

/** Reports to the others what this person does. */
export interface WritingReport {
  /** The editor of a card is open. */
  readonly opened: (card: string) => void;
  /** The person has pressed a key in it. */
  readonly typed: (card: string) => void;
  readonly closed: () => void;
}

/**
 * Returns who is here, and who writes on which card. Both are leases: items that the engine deletes when their person leaves. Joining
 * `here` gives one (`here::joined` in worker.mjs), with the name from the token. The token gives the other one, whose data the page sets.
 */
export function usePeople() {
  const [mine, setMine] = useState<Streams['typing']>(null);
  const { items: here } = usePresence('here', GROUP);
  const { others } = usePresence('typing', GROUP, mine, { self: me.sub });

  useEffect(() => {
    if (mine === null || !mine.isTyping) return undefined;
    const timer = setTimeout(() => setMine({ ...mine, isTyping: false }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [mine]);
  const report = useMemo<WritingReport>(
    () => ({
      opened: (card) => setMine({ card, isTyping: false }),
      typed: (card) => setMine({ card, isTyping: true }),
      closed: () => setMine(null),
    }),
    [],
  );

  const people = useMemo(() => here.map(({ data }) => data), [here]);
  const writers = useMemo(() => {
    const byCard = new Map<string, Writer>();
    for (const { id, data } of others) {
      const person = people.find((candidate) => candidate.id === id);
      if (data !== null && person !== undefined) byCard.set(data.card, { ...person, isTyping: data.isTyping });
    }
    return byCard;
  }, [people, others]);
  return { people, writers, report };
}
