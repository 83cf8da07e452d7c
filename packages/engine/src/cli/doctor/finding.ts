/** The part of an installation that a finding is about. */
export type Area = 'configuration' | 'access' | 'proxy' | 'ports' | 'machine' | 'store' | 'engine';

/**
 * One thing that the doctor has looked at. `change`: something must be changed. `note`: an operator should know it. The message says what
 * to do.
 */
export interface Finding {
  readonly level: 'ok' | 'note' | 'change';
  readonly area: Area;
  readonly message: string;
}

/** Makes the findings of one area. */
export function findingsOf(area: Area) {
  const finding =
    (level: Finding['level']) =>
    (message: string): Finding => ({ level, area, message });
  return { ok: finding('ok'), note: finding('note'), change: finding('change') };
}
