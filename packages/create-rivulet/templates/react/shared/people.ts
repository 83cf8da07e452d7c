/** A person who uses the page. Everybody who is here sees the name. */
export interface Person {
  readonly id: string;
  readonly name: string;
}

/** Presence: each person has one item in each of these streams, with the id of the person, while the page is open. */
export interface People {
  /** The worker writes these items, so nobody can take the name of another person. */
  here: { readonly name: string };
  /** The page writes these items: whether its person types. */
  typing: boolean;
}

/** The token of a page. See worker/people.ts. */
export const tokenOf = ({ id, name }: Person): string => `${id}.${encodeURIComponent(name)}`;

/** Returns the person of a token, or `undefined` if the text is no token. */
export function personOf(token: string): Person | undefined {
  const [, id, name] = /^([\w-]{1,64})\.([^.]{1,200})$/.exec(token) ?? [];
  if (id === undefined || name === undefined) return undefined;
  try {
    return { id, name: decodeURIComponent(name) };
  } catch {
    return undefined;
  }
}
