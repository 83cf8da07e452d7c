/** The icons of the board, as strokes of a 16 × 16 grid. The button around an icon has its name. */
const PATHS = {
  left: 'M10 3 5 8l5 5',
  right: 'm6 3 5 5-5 5',
  edit: 'M11.5 2.5 13.5 4.5 5.5 12.5 2.5 13.5 3.5 10.5Z',
  remove: 'M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9',
  add: 'M8 3v10M3 8h10',
  close: 'm4 4 8 8M12 4l-8 8',
  grip: 'M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01',
  offline: 'M2 6.5a9 9 0 0 1 4-2M14 6.5a9 9 0 0 0-4.5-2.2M5 9.5a5 5 0 0 1 2-1M8 12.5h.01M2.5 2.5l11 11',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" className="icon">
      <path d={PATHS[name]} />
    </svg>
  );
}
