import { linkTo } from './address.js';

export interface ListTab {
  readonly title: string;
  /** Parts of the address of the list. */
  readonly parts: readonly string[];
}

/** Links to the lists of one page. `current` is the title of the list that is shown. */
export function ListTabs({ tabs, current }: { readonly tabs: readonly ListTab[]; readonly current: string }) {
  return (
    <nav className="list-tabs" aria-label="Lists">
      {tabs.map(({ title, parts }) => (
        <a key={title} href={linkTo(parts)} aria-current={title === current ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}
