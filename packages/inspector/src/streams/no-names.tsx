import { EmptyState } from '../parts/states.js';

export interface NoNamesProps {
  readonly what: 'stream' | 'group';
  readonly search: string;
  readonly hint: string;
  readonly linkOf: (name: string) => string;
}

/** Stands in place of an empty list. A name that is not in the list can be opened, because clients may watch groups without items. */
export function NoNames({ what, search, hint, linkOf }: NoNamesProps) {
  if (search === '')
    return (
      <EmptyState icon="streams" title={`No ${what}s yet`}>
        {hint}
      </EmptyState>
    );
  return (
    <EmptyState icon="search" title={`No ${what} with items matches`}>
      <a href={linkOf(search)}>
        Open the {what} “{search}”
      </a>
    </EmptyState>
  );
}
