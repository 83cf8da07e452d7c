/** Paths of 20 by 20 icons, drawn with lines. */
const PATHS = {
  overview: 'M3 11h3.500l2-6 3 11 2.2-5H17',
  streams: 'M3 6c2.3-2.3 4.7-2.3 7 0s4.7 2.3 7 0M3 10c2.3-2.3 4.7-2.3 7 0s4.7 2.3 7 0M3 14c2.3-2.3 4.7-2.3 7 0s4.7 2.3 7 0',
  connections: 'M8 12l4-4M6.5 9.500l-2 2a2.8 2.8 0 0 0 4 4l2-2M13.5 10.500l2-2a2.8 2.8 0 0 0-4-4l-2 2',
  workers: 'M4 4h5v5H4zM11 4h5v5h-5zM4 11h5v5H4zM11 13.500h5M13.5 11v5',
  why: 'M7 7.500a3 3 0 1 1 4.2 2.700c-.8.4-1.2 1-1.2 1.800M10 15.200v.1',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4ZM13 13l3.5 3.5',
  next: 'M8 5l5 5-5 5',
  previous: 'M12 5l-5 5 5 5',
  close: 'M5 5l10 10M15 5L5 15',
  refresh: 'M16 10a6 6 0 1 1-1.8-4.200M16 3.500V7h-3.5',
  warning: 'M10 4l7 12H3zM10 8.500v3.500M10 14v.1',
  check: 'M4.5 10.500l3.5 3.5 7.5-8',
  light:
    'M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM10 2.500v1.500M10 16v1.500M2.5 10H4M16 10h1.500M4.7 4.700l1 1M14.3 14.300l1 1M4.7 15.300l1-1M14.3 5.700l1-1',
  dark: 'M15.5 12A6.5 6.5 0 0 1 8 4.500a6.3 6.3 0 1 0 7.5 7.500Z',
  system: 'M3 4.500h14v9H3zM7.5 16.500h5M10 13.500v3',
  key: 'M12.5 4a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 10l-6 6M5.5 14.500l1.5 1.5',
  live: 'M10 9a1 1 0 1 0 0 2 1 1 0 0 0 0-2ZM6.5 6.500a5 5 0 0 0 0 7M13.5 6.500a5 5 0 0 1 0 7M4 4a8.5 8.5 0 0 0 0 12M16 4a8.5 8.5 0 0 1 0 12',
  pause: 'M7 5v10M13 5v10',
  play: 'M7 5l8 5-8 5z',
  add: 'M10 4v12M4 10h12',
  send: 'M3.5 10L16.5 4l-4 12.5-2.8-5.200z',
  edit: 'M4 16l.8-3.300L13 4.500l2.5 2.5-8.2 8.200z',
  delete: 'M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.600L14 6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
