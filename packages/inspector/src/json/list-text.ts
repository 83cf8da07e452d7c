import { counted } from '../parts/figures.js';
import { preview } from './preview.js';

const PREVIEW_CHARS = 240;

/** Returns the text of a value in a list. `leftOut`: the length of a large value, which the list does not have. */
export function listText(value: unknown, leftOut: number | undefined): string {
  return leftOut === undefined ? preview(value, PREVIEW_CHARS) : `${counted(leftOut, 'character')}; open the item to see them`;
}
