import { count } from '../parts/figures.js';

/** The number of changes that a client lacks. Colour and word mark one that is behind. */
export function Lag({ changes }: { readonly changes: number }) {
  return changes === 0 ? 'none' : <span className="warn-text">{count(changes)} behind</span>;
}
