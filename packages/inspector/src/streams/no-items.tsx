import { EmptyState } from '../parts/states.js';

/** Stands in place of the items of a group that has none, or none that match. */
export function NoItems({ search }: { readonly search: string }) {
  return search === '' ? (
    <EmptyState icon="streams" title="No items">
      Clients can watch this group already. They get its first item when somebody sets one.
    </EmptyState>
  ) : (
    <EmptyState icon="search" title="No item matches" />
  );
}
