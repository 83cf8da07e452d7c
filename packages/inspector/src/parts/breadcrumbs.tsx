import { linkTo } from './address.js';

/** The way from the first page of a section to the view, above its heading. `parts` are the address of the view. */
export function Breadcrumbs({ parts, titles }: { readonly parts: readonly string[]; readonly titles: readonly string[] }) {
  return (
    <nav className="crumbs" aria-label="Breadcrumbs">
      <ol>
        {titles.slice(0, -1).map((title, index) => (
          <li key={linkTo(parts.slice(0, index + 1))}>
            <a href={linkTo(parts.slice(0, index + 1))}>{title}</a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
